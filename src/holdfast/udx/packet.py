"""The 20 bytes in front of every UDX datagram, and the ranges of a selective ack (notes 4.13)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

MAGIC = 0xFF
VERSION = 1
HEADER_BYTES = 20

DATA = 1
"""Carries bytes of the stream and takes a number."""
END = 2
"""No bytes follow this packet; takes a number too."""
SACK = 4
"""Carries ranges received beyond the ack."""
MESSAGE = 8
"""Carries one unreliable message."""
DESTROY = 16
"""The sender has given the stream up."""
HEARTBEAT = 32
"""Asks for an ack."""

MAX_SACKS = 50
"""Ranges in one packet: as many as libudx sends; with the header they fit the smallest MTU."""

_HEADER = Struct("<BBBBIIII")
_RANGE = Struct("<II")
_MASK = 0xFFFFFFFF
_HALF = 0x80000000


class Header(NamedTuple):
    """What a packet says of itself. Sequence numbers are as on the wire: modulo 2**32."""

    kind: int
    """Flags: `DATA`, `END`, ...; 0 is a bare ack."""
    skip: int
    """Bytes between the header and the payload: padding, or the ranges of a `SACK`."""
    stream_id: int
    """The stream as its receiver calls it."""
    window: int
    """Bytes that the sender of this packet has room for."""
    seq: int
    """The number of this packet, or the next number when it takes none."""
    ack: int
    """The next number that the sender of this packet expects."""


def parse(data: Buffer) -> Header | None:
    """The header of a datagram, or None when it is not a UDX packet."""
    if len(data) < HEADER_BYTES:
        return None
    magic, version, kind, skip, stream_id, window, seq, ack = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or skip > len(data) - HEADER_BYTES:
        return None
    return Header(kind, skip, stream_id, window, seq, ack)


def stream_of(data: Buffer) -> int | None:
    """The stream that a datagram is for, or None when it is not a UDX packet."""
    if len(data) < HEADER_BYTES or data[0] != MAGIC or data[1] != VERSION:
        return None
    return int.from_bytes(data[4:8], "little")


def encode(header: Header) -> bytes:
    """The 20 bytes of a header; numbers are cut to 32 bits."""
    kind, skip, stream_id, window, seq, ack = header
    return _HEADER.pack(MAGIC, VERSION, kind, skip, stream_id, window, seq & _MASK, ack & _MASK)


def encode_ranges(ranges: list[tuple[int, int]]) -> bytes:
    """The body of a `SACK`: the first `MAX_SACKS` of ``ranges``, each as (first, one past last)."""
    return b"".join(_RANGE.pack(start & _MASK, end & _MASK) for start, end in ranges[:MAX_SACKS])


def ranges_of(header: Header, data: Buffer) -> list[tuple[int, int]]:
    """The ranges of a `SACK` packet, as on the wire; [] for any other."""
    if not header.kind & SACK:
        return []
    size = header.skip or len(data) - HEADER_BYTES
    size = min(size - size % _RANGE.size, MAX_SACKS * _RANGE.size)
    return list(_RANGE.iter_unpack(data[HEADER_BYTES : HEADER_BYTES + size]))


def unwrap(wire: int, near: int) -> int:
    """The whole number that ``wire`` stands for: the one closest to ``near``."""
    return near + ((wire - near + _HALF) & _MASK) - _HALF
