"""The replication messages: their numbers, and how each is written and read (hypercore.md 4.6).

Every decoder checks a length against the bytes that are there before it reads, and raises
`DecodeError`; bytes after the end of a message are ignored, because peers may add fields.
"""

from __future__ import annotations

from holdfast.encoding.varint import decode_uint, encode_uint
from holdfast.errors import DecodeError
from holdfast.hypercore.message_data import decode_data, encode_block_data, encode_data
from holdfast.hypercore.message_parts import (
    MAX_NODES,
    cut_short,
    decode_nodes,
    decode_pair,
    encode_nodes,
)
from holdfast.hypercore.message_types import (
    INVALID_REQUEST,
    NOT_AVAILABLE,
    BitfieldMessage,
    BlockData,
    Data,
    Extension,
    Handshake,
    HashData,
    NoData,
    Range,
    Request,
    RequestBlock,
    RequestHash,
    RequestSeek,
    RequestUpgrade,
    SeekData,
    Sync,
    UpgradeData,
    Want,
)

SYNC, REQUEST, CANCEL, DATA, NO_DATA, WANT, UNWANT, BITFIELD, RANGE, EXTENSION = range(10)

MAX_EXTENSION_NAME = 256
"""Bytes of an extension's name; those in use have about ten."""

_new = tuple.__new__


def encode_handshake(handshake: Handshake) -> bytes:
    """Handshake of the channel."""
    return (b"\x01" if handshake.seeks else b"\0") + handshake.capability


def decode_handshake(body: bytes | memoryview) -> Handshake:
    """Handshake of the channel; raises `DecodeError`."""
    flags, at = decode_uint(body, 0)
    if at + 32 > len(body):
        raise cut_short()
    return Handshake(bool(flags & 1), bytes(body[at : at + 32]))


def encode_sync(sync: Sync) -> bytes:
    """Body of message 0."""
    flags = (
        (1 if sync.can_upgrade else 0)
        | (2 if sync.uploading else 0)
        | (4 if sync.downloading else 0)
        | (8 if sync.has_manifest else 0)
        | (16 if sync.allow_push else 0)
    )
    return (
        encode_uint(flags)
        + encode_uint(sync.fork)
        + encode_uint(sync.length)
        + encode_uint(sync.remote_length)
    )


def decode_sync(body: bytes | memoryview) -> Sync:
    """Reads message 0; raises `DecodeError`."""
    flags, fork, at = decode_pair(body, 0)
    length, remote_length, at = decode_pair(body, at)
    return Sync(
        fork,
        length,
        remote_length,
        can_upgrade=bool(flags & 1),
        uploading=bool(flags & 2),
        downloading=bool(flags & 4),
        has_manifest=bool(flags & 8),
        allow_push=bool(flags & 16),
    )


def encode_request(request: Request) -> bytes:
    """Body of message 1."""
    id, fork, block, hash, seek, upgrade, manifest, priority = request
    flags = 16 if manifest else 0
    body = encode_uint(id) + encode_uint(fork)
    if block is not None:
        flags |= 1
        body += encode_uint(block[0]) + encode_uint(block[1])
    if hash is not None:
        flags |= 2
        body += encode_uint(hash[0]) + encode_uint(hash[1])
    if seek is not None:
        flags |= 4
        body += encode_uint(seek[0]) + encode_uint(seek[1])
    if upgrade is not None:
        flags |= 8
        body += encode_uint(upgrade[0]) + encode_uint(upgrade[1])
    if priority:
        flags |= 32
        body += encode_uint(priority)
    return encode_uint(flags) + body


def encode_block_request(id: int, fork: int, index: int, nodes: int, priority: int = 0) -> bytes:
    """Body of message 1 asking for a block and nothing else."""
    body = encode_uint(id) + encode_uint(fork) + encode_uint(index) + encode_uint(nodes)
    return b"\x21" + body + encode_uint(priority) if priority else b"\x01" + body


def decode_request(body: bytes | memoryview) -> Request:
    """Reads message 1; raises `DecodeError`."""
    flags, at = decode_uint(body, 0)
    id, fork, at = decode_pair(body, at)
    block = hash = seek = upgrade = None
    priority = 0
    if flags & 1:
        first, second, at = decode_pair(body, at)
        block = _new(RequestBlock, (first, second))
    if flags & 46:
        if flags & 2:
            first, second, at = decode_pair(body, at)
            hash = RequestHash(first, second)
        if flags & 4:
            first, second, at = decode_pair(body, at)
            seek = RequestSeek(first, second)
        if flags & 8:
            first, second, at = decode_pair(body, at)
            upgrade = RequestUpgrade(first, second)
        if flags & 32:
            priority, at = decode_uint(body, at)
    return _new(Request, (id, fork, block, hash, seek, upgrade, flags & 16 != 0, priority))


def encode_cancel(request: int) -> bytes:
    """Body of message 2: the answer to this request is no longer wanted."""
    return encode_uint(request)


def decode_cancel(body: bytes | memoryview) -> int:
    """Reads message 2, the id of a request; raises `DecodeError`."""
    return decode_uint(body, 0)[0]


def encode_no_data(request: int, reason: int = 0) -> bytes:
    """Body of message 4."""
    return encode_uint(request) + (b"\x01" + encode_uint(reason) if reason else b"\0")


def decode_no_data(body: bytes | memoryview) -> NoData:
    """Reads message 4; raises `DecodeError`. Older peers send no flags."""
    request, at = decode_uint(body, 0)
    flags, at = decode_uint(body, at) if at < len(body) else (0, at)
    return NoData(request, decode_uint(body, at)[0] if flags & 1 else 0)


def encode_want(want: Want) -> bytes:
    """Body of message 5 or 6 (``unwant``)."""
    return encode_uint(want.start) + encode_uint(want.length) + (b"\x01" if want.any else b"")


def decode_want(body: bytes | memoryview) -> Want:
    """Reads message 5 or 6; raises `DecodeError`. Older peers send no flags."""
    start, length, at = decode_pair(body, 0)
    flags = decode_uint(body, at)[0] if at < len(body) else 0
    return Want(start, length, bool(flags & 1))


def encode_bitfield(bitfield: BitfieldMessage) -> bytes:
    """Body of message 7. The bits are padded to whole words."""
    bits = bitfield.bits
    padding = bytes(-len(bits) % 4)
    return b"".join((encode_uint(bitfield.start), encode_uint(len(bits) + 3 >> 2), bits, padding))


def decode_bitfield(body: bytes | memoryview) -> BitfieldMessage:
    """Reads message 7; the bits are a view into ``body``. Raises `DecodeError`."""
    start, words, at = decode_pair(body, 0)
    after = at + 4 * words
    if after > len(body):
        raise cut_short()
    return BitfieldMessage(start, memoryview(body)[at:after])


def encode_range(message: Range) -> bytes:
    """Body of message 8."""
    drop, start, length = message
    flags = (1 if drop else 0) | (2 if length == 1 else 0)
    body = encode_uint(flags) + encode_uint(start)
    return body if length == 1 else body + encode_uint(length)


def decode_range(body: bytes | memoryview) -> Range:
    """Reads message 8; raises `DecodeError`."""
    flags, start, at = decode_pair(body, 0)
    return Range(bool(flags & 1), start, 1 if flags & 2 else decode_uint(body, at)[0])


def encode_extension(extension: Extension) -> bytes:
    """Body of message 9."""
    name = extension.name.encode()
    return b"".join((encode_uint(len(name)), name, extension.message))


def decode_extension(body: bytes | memoryview) -> Extension:
    """Reads message 9; the payload is a view into ``body``. Raises `DecodeError`."""
    size, at = decode_uint(body, 0)
    if size > MAX_EXTENSION_NAME:
        raise DecodeError(f"An extension name of {size} bytes is too long.")
    after = at + size
    if after > len(body):
        raise cut_short()
    try:
        name = str(body[at:after], "utf-8")
    except UnicodeDecodeError:
        raise DecodeError("An extension name is not UTF-8.") from None
    return Extension(name, memoryview(body)[after:])


__all__ = [
    "BITFIELD", "CANCEL", "DATA", "EXTENSION", "NO_DATA", "RANGE", "REQUEST", "SYNC", "UNWANT",
    "WANT", "INVALID_REQUEST", "MAX_EXTENSION_NAME", "MAX_NODES", "NOT_AVAILABLE",
    "BitfieldMessage", "BlockData", "Data", "Extension", "Handshake", "HashData", "NoData", "Range",
    "Request", "RequestBlock", "RequestHash", "RequestSeek", "RequestUpgrade", "SeekData", "Sync",
    "UpgradeData", "Want", "decode_bitfield", "decode_cancel", "decode_data", "decode_extension",
    "decode_handshake", "decode_no_data", "decode_nodes", "decode_range", "decode_request",
    "decode_sync", "decode_want", "encode_bitfield", "encode_block_data", "encode_block_request",
    "encode_cancel", "encode_data", "encode_extension", "encode_handshake", "encode_no_data",
    "encode_nodes", "encode_range", "encode_request", "encode_sync", "encode_want",
]  # fmt: skip
