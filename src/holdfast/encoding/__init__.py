"""How things are written down: compact encoding, bitfields, keys and links as text.

* ``varint``    numbers and byte strings of the wire messages
* ``bitfield``  which blocks are held (``bitpage``, ``spans``: its parts)
* ``links``     what one person gives another (``keys``, ``z32``: its parts)
"""

from __future__ import annotations

from holdfast.encoding.bitfield import PAGE_BITS, PAGE_BYTES, Bitfield
from holdfast.encoding.keys import KEY_BYTES, key_text, parse_key
from holdfast.encoding.links import Link, PeerAddress, parse_link
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
from holdfast.encoding.z32 import z32_decode, z32_encode

__all__ = [
    "KEY_BYTES",
    "MAX_UINT",
    "PAGE_BITS",
    "PAGE_BYTES",
    "Bitfield",
    "Buffer",
    "Link",
    "PeerAddress",
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
    "key_text",
    "parse_key",
    "parse_link",
    "z32_decode",
    "z32_encode",
]
