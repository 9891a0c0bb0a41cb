"""compact-encoding (wire notes 4.0): the numbers and byte strings that every message is made of.

Encoders return bytes to join. Decoders take ``(buffer, position)`` and return ``(value, next
position)``; they read nothing beyond the buffer, allocate nothing on the word of a length prefix,
and raise DecodeError for everything that is not a valid encoding. Byte strings come back as
memoryviews of the buffer: wrap what must outlive it in ``bytes()``.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from holdfast.errors import DecodeError

Buffer: TypeAlias = bytes | bytearray | memoryview

MAX_UINT = (1 << 53) - 1
"""The largest number JavaScript holds exactly: never sent, and refused when received."""

_ONE = [bytes((n,)) for n in range(0xFD)]
_U16 = struct.Struct("<BH")
_U32 = struct.Struct("<BI")
_U64 = struct.Struct("<BQ")
_CUT = "A message ends in the middle of a field."


def encode_uint(value: int) -> bytes:
    """The shortest form of ``value``; ValueError outside 0 to `MAX_UINT`."""
    if 0 <= value < 0xFD:
        return _ONE[value]
    if value < 0:
        raise ValueError("a uint is not negative")
    if value <= 0xFFFF:
        return _U16.pack(0xFD, value)
    if value <= 0xFFFFFFFF:
        return _U32.pack(0xFE, value)
    if value <= MAX_UINT:
        return _U64.pack(0xFF, value)
    raise ValueError("a uint is at most 2**53 - 1")


def decode_uint(buffer: Buffer, position: int) -> tuple[int, int]:
    """A uint in any of its four forms (the shortest is not demanded, as in the peers)."""
    try:
        first = buffer[position]
        if first < 0xFD:
            return first, position + 1
        if first == 0xFD:
            return buffer[position + 1] | buffer[position + 2] << 8, position + 3
    except IndexError:
        raise DecodeError(_CUT) from None
    end = position + (5 if first == 0xFE else 9)
    if end > len(buffer):
        raise DecodeError(_CUT)
    value = int.from_bytes(buffer[position + 1 : end], "little")
    if value > MAX_UINT:
        raise DecodeError("A number in a message is larger than 2^53 - 1.")
    return value, end


def encode_int(value: int) -> bytes:
    """A signed number, zig-zag."""
    return encode_uint(value * 2 if value >= 0 else -value * 2 - 1)


def decode_int(buffer: Buffer, position: int) -> tuple[int, int]:
    """A signed number, zig-zag."""
    value, position = decode_uint(buffer, position)
    return (value >> 1) ^ -(value & 1), position


def encode_buffer(data: Buffer) -> bytes:
    """Length and bytes; the empty one also stands for "none"."""
    return b"".join((encode_uint(len(data)), data))


def decode_buffer(buffer: Buffer, position: int) -> tuple[memoryview, int]:
    """Length and bytes."""
    size, start = decode_uint(buffer, position)
    return decode_fixed(buffer, start, size)


def encode_optional(data: Buffer | None) -> bytes:
    """Length and bytes; None and empty look the same."""
    return b"\x00" if not data else encode_buffer(data)


def decode_optional(buffer: Buffer, position: int) -> tuple[memoryview | None, int]:
    """Length and bytes, or None where the length is 0."""
    data, position = decode_buffer(buffer, position)
    return (data if len(data) else None), position


def encode_string(text: str) -> bytes:
    """UTF-8 behind its length in bytes."""
    return encode_buffer(text.encode())


def decode_string(buffer: Buffer, position: int) -> tuple[str, int]:
    """UTF-8 behind its length in bytes; DecodeError when it is not UTF-8."""
    data, position = decode_buffer(buffer, position)
    try:
        return str(data, "utf-8"), position
    except UnicodeDecodeError:
        raise DecodeError("A text in a message is not valid UTF-8.") from None


def decode_fixed(buffer: Buffer, position: int, size: int) -> tuple[memoryview, int]:
    """Exactly ``size`` bytes."""
    end = position + size
    if end > len(buffer):
        raise DecodeError(_CUT)
    return memoryview(buffer)[position:end], end


def decode_count(buffer: Buffer, position: int, item_size: int = 1) -> tuple[int, int]:
    """How many items an array holds; refused unless that many of ``item_size`` bytes can follow.

    ``item_size`` is the least an item takes: it bounds what a false count can make us do.
    """
    count, position = decode_uint(buffer, position)
    if count * item_size > len(buffer) - position:
        raise DecodeError("A message announces more items than it can hold.")
    return count, position


def encode_uint32_array(words: Buffer) -> bytes:
    """A count of 32-bit words and the words; ``words`` are their little-endian bytes."""
    if len(words) % 4:
        raise ValueError("32-bit words take a multiple of four bytes")
    return b"".join((encode_uint(len(words) // 4), words))


def decode_uint32_array(buffer: Buffer, position: int) -> tuple[memoryview, int]:
    """The little-endian bytes of an array of 32-bit words."""
    count, position = decode_count(buffer, position, 4)
    return decode_fixed(buffer, position, count * 4)


def encode_uint64(value: int) -> bytes:
    """Eight bytes, little-endian."""
    return value.to_bytes(8, "little")


def decode_uint64(buffer: Buffer, position: int) -> tuple[int, int]:
    """Eight bytes, little-endian (not limited to 2^53 - 1)."""
    data, position = decode_fixed(buffer, position, 8)
    return int.from_bytes(data, "little"), position
