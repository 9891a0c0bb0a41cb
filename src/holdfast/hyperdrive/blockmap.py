"""Block maps: the content of a file as a list of blocks that need not lie together.

JavaScript Hyperblobs writes them when it is asked to store equal pieces once. Each map block is
``uint version 0, array {uint index, uint byteLength}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.encoding.varint import decode_count, decode_uint
from holdfast.errors import DecodeError

MAX_MAP_BLOCKS = 64
"""Blocks of one map, as JavaScript accepts them (with 8,192 pieces in each)."""
MAX_PIECES = 8192 * MAX_MAP_BLOCKS


class Piece(NamedTuple):
    """A block with a part of the content."""

    block: int
    size: int


def decode_map(blocks: Sequence[bytes]) -> list[Piece]:
    """The pieces in order; `DecodeError` for anything that is no map."""
    pieces: list[Piece] = []
    for block in blocks:
        version, at = decode_uint(block, 0)
        if version != 0:
            raise DecodeError(f"A file uses block map version {version}, which is not known.")
        count, at = decode_count(block, at, 2)
        if len(pieces) + count > MAX_PIECES:
            raise DecodeError("The block map of a file is too long.")
        for _ in range(count):
            index, at = decode_uint(block, at)
            size, at = decode_uint(block, at)
            pieces.append(Piece(index, size))
    return pieces


def cut(pieces: list[Piece], start: int, stop: int) -> tuple[list[int], int]:
    """Blocks with bytes ``start`` to ``stop``, and how many bytes of the first to leave out."""
    wanted: list[int] = []
    skip = at = 0
    for index, size in pieces:
        if at + size > start and at < stop:
            if not wanted:
                skip = start - at
            wanted.append(index)
        at += size
        if at >= stop:
            break
    return wanted, skip
