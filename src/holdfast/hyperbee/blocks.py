"""The blocks of a bee as bytes (`wire/hypercore.md` 4.8; Protocol Buffers, written out by hand).

Block 0 is ``Header{1 protocol, 2 Metadata{1 contentFeed, 2 userData}}``; every other block is
``Node{1 index, 2 key, 3 value?}`` with ``index = repeated Level{1 keys, 2 children}``: the tree
nodes that the operation rewrote, the root first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from holdfast.errors import DecodeError
from holdfast.hyperbee.node import SMALL, TreeNode, place, varint

MAX_UINT = 1 << 53
"""Largest number a JavaScript peer can write."""


class Record(NamedTuple):
    """A decoded block: raw key, raw value (None for a deletion) and the encoded index."""

    key: bytes
    value: bytes | None
    tree: bytes


class Header(NamedTuple):
    """Block 0. ``metadata`` says whether it has a metadata message, be it empty."""

    protocol: str
    metadata: bool = False
    content_feed: bytes | None = None
    user_data: bytes | None = None


def read_varint(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """The varint at ``pos`` and the position after it; `DecodeError` when cut or too large."""
    n = shift = 0
    while pos < end:
        byte = buf[pos]
        pos += 1
        n |= (byte & 127) << shift
        if byte < 128:
            if n >= MAX_UINT:
                break
            return n, pos
        shift += 7
        if shift > 56:
            break
    raise DecodeError("a number in a bee block is cut or too large")


def fields(buf: bytes, pos: int, end: int) -> Iterable[tuple[int, int, int, int]]:
    """Fields of a message: ``(number, wire type, start, end)``, for varints ``(.., start, value)``.

    Raises `DecodeError` when a field reaches over the end.
    """
    while pos < end:
        tag, pos = read_varint(buf, pos, end)
        kind = tag & 7
        if kind == 0:
            value, after = read_varint(buf, pos, end)
            yield tag >> 3, 0, pos, value
            pos = after
            continue
        if kind == 2:
            size, pos = read_varint(buf, pos, end)
        elif kind == 1:
            size = 8
        elif kind == 5:
            size = 4
        else:
            raise DecodeError("a bee block holds a field of unknown kind")
        if size > end - pos:
            raise DecodeError("a field of a bee block is cut")
        yield tag >> 3, kind, pos, pos + size
        pos += size


def encode_header(header: Header) -> bytes:
    """Block 0 of a bee."""
    out = _field(b"\x0a", header.protocol.encode())
    if header.metadata:
        meta = b""
        if header.content_feed is not None:
            meta += _field(b"\x0a", header.content_feed)
        if header.user_data is not None:
            meta += _field(b"\x12", header.user_data)
        out += _field(b"\x12", meta)
    return out


def decode_header(block: bytes) -> Header:
    """Read block 0; `DecodeError` when it is not one."""
    protocol: str | None = None
    meta: tuple[int, int] | None = None
    for number, kind, start, stop in fields(block, 0, len(block)):
        if number == 1 and kind == 2:
            protocol = block[start:stop].decode("utf-8", "replace")
        elif number == 2 and kind == 2:
            meta = (start, stop)
    if protocol is None:
        raise DecodeError("the first block is not a bee header")
    if meta is None:
        return Header(protocol)
    found = {n: block[a:b] for n, kind, a, b in fields(block, *meta) if kind == 2}
    return Header(protocol, True, found.get(1), found.get(2))


def encode_record(key: bytes, value: bytes | None, nodes: list[TreeNode]) -> bytes:
    """A block with the tree nodes it carries, in order of their offsets."""
    index = encode_index(nodes)
    head = (b"\x0a", _size(index), index, b"\x12", _size(key), key)
    if value is None:
        return b"".join(head)
    return b"".join((*head, b"\x1a", _size(value), value))


def _size(data: bytes) -> bytes:
    size = len(data)
    return SMALL[size] if size < 128 else varint(size)


def encode_index(nodes: list[TreeNode]) -> bytes:
    """The index message of a block (hot: runs once for each node that a batch leaves behind)."""
    parts: list[bytes] = []
    for node in nodes:
        codes = node.codes
        assert codes is not None
        packed = b"".join(codes)
        size = len(packed)
        level = b"\x0a" + (SMALL[size] if size < 128 else varint(size)) + packed if size else b""
        if node.kids:
            packed = b"".join([kid.code or place(kid) for kid in node.kids])
            size = len(packed)
            level += b"\x12" + (SMALL[size] if size < 128 else varint(size)) + packed
        size = len(level)
        parts += b"\x0a", SMALL[size] if size < 128 else varint(size), level
    return b"".join(parts)


def decode_record(block: bytes) -> Record:
    """Split a block; `DecodeError` when it is not an entry of a bee."""
    size = len(block)
    try:  # the order every writer uses, with short lengths read in place
        if block[0] == 10:
            n, pos = block[1], 2
            if n > 127:
                n, pos = read_varint(block, 1, size)
            stop = pos + n
            index = block[pos:stop]
            if block[stop] == 18:
                n, pos = block[stop + 1], stop + 2
                if n > 127:
                    n, pos = read_varint(block, stop + 1, size)
                stop = pos + n
                if stop == size:
                    return Record(block[pos:stop], None, index)
                key = block[pos:stop]
                if block[stop] == 26:
                    n, pos = block[stop + 1], stop + 2
                    if n > 127:
                        n, pos = read_varint(block, stop + 1, size)
                    if pos + n == size:
                        return Record(key, block[pos:], index)
    except IndexError:
        pass
    return _decode_any_record(block)


def _decode_any_record(block: bytes) -> Record:
    """The same for fields in any order, repeated or unknown."""
    found: dict[int, bytes] = {}
    for number, kind, start, stop in fields(block, 0, len(block)):
        if number <= 3 and kind == 2:
            found[number] = block[start:stop]
    if 1 not in found or 2 not in found:
        raise DecodeError("a block of the bee has no key")
    return Record(found[2], found.get(3), found[1])


def index_keys(index: bytes) -> Iterable[int]:
    """The seqs of all keys that an index mentions."""
    for number, kind, start, stop in fields(index, 0, len(index)):
        if number == 1 and kind == 2:
            yield from _level(index, start, stop)[0]


def decode_level(index: bytes, offset: int) -> tuple[list[int], list[int]]:
    """Node ``offset`` of an index: seqs of its keys, then ``seq, offset`` of each child in turn."""
    pos, end = 0, len(index)
    for number, kind, start, stop in fields(index, pos, end):
        if number == 1 and kind == 2:
            if offset == 0:
                return _level(index, start, stop)
            offset -= 1
    raise DecodeError("a bee block points to a tree node that is not there")


def _level(buf: bytes, pos: int, end: int) -> tuple[list[int], list[int]]:
    keys: list[int] = []
    kids: list[int] = []
    for number, kind, start, stop in fields(buf, pos, end):
        if number in (1, 2):
            into = keys if number == 1 else kids
            if kind == 0:
                into.append(stop)
            elif kind == 2:
                read_packed(buf, start, stop, into)
    return keys, kids


def read_packed(buf: bytes, pos: int, end: int, into: list[int]) -> None:
    """Append the varints that fill ``buf[pos:end]``."""
    n = shift = 0
    for byte in buf[pos:end]:
        n |= (byte & 127) << shift
        if byte < 128:
            into.append(n)
            n = shift = 0
        else:
            shift += 7
            if shift > 49:
                raise DecodeError("a number in a bee block is too large")
    if shift:
        raise DecodeError("a number in a bee block is cut")


def _field(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body
