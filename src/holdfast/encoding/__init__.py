"""How things are written down: compact encoding, bitfields, keys and links as text.

* ``varint``    numbers and byte strings of the wire messages
* ``bitfield``  which blocks are held (``bitpage``, ``spans``: its parts)
"""

from __future__ import annotations

from holdfast.encoding.bitfield import PAGE_BITS, PAGE_BYTES, Bitfield
from holdfast.encoding.spans import Spans
from holdfast.encoding.varint import (
    MAX_UINT,
    Buffer,
    decode_buffer,
    decode_count,
    decode_fixed,
    decode_int,
    decode_optional,
    decode_string,
    decode_uint,
    decode_uint32_array,
    decode_uint64,
    encode_buffer,
    encode_int,
    encode_optional,
    encode_string,
    encode_uint,
    encode_uint32_array,
    encode_uint64,
)

__all__ = [
    "MAX_UINT",
    "PAGE_BITS",
    "PAGE_BYTES",
    "Bitfield",
    "Buffer",
    "Spans",
    "decode_buffer",
    "decode_count",
    "decode_fixed",
    "decode_int",
    "decode_optional",
    "decode_string",
    "decode_uint",
    "decode_uint32_array",
    "decode_uint64",
    "encode_buffer",
    "encode_int",
    "encode_optional",
    "encode_string",
    "encode_uint",
    "encode_uint32_array",
    "encode_uint64",
]
