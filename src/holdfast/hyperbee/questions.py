"""Messages of the "hyperbee" extension as bytes: whole lookups asked in one message.

``Extension{1 Cache, 2 Get, 3 Iterator}``. Get and Iterator name a lookup, Cache answers with the
blocks that it touches; the asker then fetches (and verifies) those like any other blocks.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.errors import DecodeError
from holdfast.hyperbee.blocks import fields, read_packed
from holdfast.hyperbee.node import varint

MAX_CHECKPOINT = 3 * 256
"""Numbers in a checkpoint: three for each level of a tree far higher than any real one."""
MAX_BLOCKS = 4096
"""Blocks named by one Cache message; JavaScript sends 128."""
MAX_KEY = 1 << 16
"""Bytes of a key in a question."""


class Get(NamedTuple):
    """Which blocks does the lookup of ``key`` in ``version`` touch?"""

    version: int
    key: bytes


class Iterator(NamedTuple):
    """Which blocks does this range touch? ``checkpoint``: (seq, offset, position) of each level."""

    version: int
    gte: bytes | None = None
    gt: bytes | None = None
    lte: bytes | None = None
    lt: bytes | None = None
    limit: int = 0
    reverse: bool = False
    checkpoint: tuple[int, ...] = ()


class Cache(NamedTuple):
    """Blocks worth fetching, all between ``start`` and ``end``."""

    start: int
    end: int
    blocks: list[int]


Question = Get | Iterator | Cache


def encode(message: Question) -> bytes:
    """A message as bytes."""
    if isinstance(message, Cache):
        packed = b"".join(map(varint, message.blocks))
        body = b"\x08" + varint(message.start) + b"\x10" + varint(message.end)
        return _wrap(b"\x0a", body + (_wrap(b"\x1a", packed) if packed else b""))
    if isinstance(message, Get):
        return _wrap(b"\x12", b"\x08" + varint(message.version) + _wrap(b"\x12", message.key))
    body = b"\x08" + varint(message.version)
    named = (message.gte, message.gt, message.lte, message.lt)
    for tag, key in zip((b"\x12", b"\x1a", b"\x22", b"\x2a"), named, strict=True):
        if key is not None:
            body += _wrap(tag, key)
    body += b"\x30" + varint(message.limit) + b"\x38" + varint(int(message.reverse))
    packed = b"".join(map(varint, message.checkpoint))
    return _wrap(b"\x1a", body + (_wrap(b"\x42", packed) if packed else b""))


def decode(data: bytes) -> list[Question]:
    """The messages in ``data`` (JavaScript sends one); `DecodeError` when they are malformed."""
    out: list[Question] = []
    for number, kind, start, stop in fields(data, 0, len(data)):
        if kind == 2 and number in (1, 2, 3):
            if out:
                raise DecodeError("more than one question in one message")
            out.append((_cache, _get, _iterator)[number - 1](data, start, stop))
    return out


def _wrap(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body


def _key(data: bytes, start: int, stop: int) -> bytes:
    if stop - start > MAX_KEY:
        raise DecodeError("the key in a bee question is too long")
    return data[start:stop]


def _numbers(data: bytes, start: int, stop: int, most: int) -> list[int]:
    if stop - start > 8 * most:
        raise DecodeError("a bee message names too many blocks")
    found: list[int] = []
    read_packed(data, start, stop, found)
    if len(found) > most:
        raise DecodeError("a bee message names too many blocks")
    return found


def _cache(data: bytes, pos: int, end: int) -> Cache:
    limits = {1: 0, 2: 0}
    blocks: list[int] = []
    for number, kind, start, stop in fields(data, pos, end):
        if number in limits and kind == 0:
            limits[number] = stop
        elif number == 3 and kind == 2 and not blocks:
            blocks = _numbers(data, start, stop, MAX_BLOCKS)
    return Cache(limits[1], limits[2], blocks)


def _get(data: bytes, pos: int, end: int) -> Get:
    version, key = 0, b""
    for number, kind, start, stop in fields(data, pos, end):
        if number == 1 and kind == 0:
            version = stop
        elif number == 2 and kind == 2:
            key = _key(data, start, stop)
    return Get(version, key)


def _iterator(data: bytes, pos: int, end: int) -> Iterator:
    numbers = {1: 0, 6: 0, 7: 0}
    keys: dict[int, bytes] = {}
    checkpoint: list[int] = []
    for number, kind, start, stop in fields(data, pos, end):
        if number in numbers and kind == 0:
            numbers[number] = stop
        elif 2 <= number <= 5 and kind == 2:
            keys[number] = _key(data, start, stop)
        elif number == 8 and kind == 2 and not checkpoint:
            checkpoint = _numbers(data, start, stop, MAX_CHECKPOINT)
    named = (keys.get(2), keys.get(3), keys.get(4), keys.get(5))
    return Iterator(numbers[1], *named, numbers[6], bool(numbers[7]), tuple(checkpoint))
