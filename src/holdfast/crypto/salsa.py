"""XSalsa20 on PyNaCl's public API alone: the slow twin of `xsalsa`, for when that is out of reach.

A secretbox spends the first 32 bytes of the keystream on its Poly1305 key and encrypts with the
rest, so only those 32 bytes are computed here; libsodium does all the others.
"""

from __future__ import annotations

import struct

import nacl.bindings as sodium

_SIGMA = struct.unpack("<4I", b"expand 32-byte k")
_MASK = 0xFFFFFFFF
_TAG = sodium.crypto_secretbox_MACBYTES

_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_QUARTERS = _COLUMNS + _ROWS


def xsalsa20_xor_portable(data: bytes, nonce: bytes, key: bytes) -> bytes:
    """``data`` XOR the XSalsa20 keystream of (24-byte nonce, 32-byte key)."""
    head = data[:32]
    keystream = _first_bytes(nonce, key)[: len(head)]
    first = int.from_bytes(head, "little") ^ int.from_bytes(keystream, "little")
    tail = sodium.crypto_secretbox_easy(data[32:], nonce, key)[_TAG:] if len(data) > 32 else b""
    return first.to_bytes(len(head), "little") + tail


def _first_bytes(nonce: bytes, key: bytes) -> bytes:
    """The first 32 bytes of the keystream."""
    mixed = _rounds(_state(nonce[:16], key))
    subkey = struct.pack("<8I", *(mixed[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))
    start = _state(nonce[16:] + bytes(8), subkey)
    block = _rounds(start)
    return struct.pack("<8I", *((a + b) & _MASK for a, b in zip(start[:8], block[:8], strict=True)))


def _state(position: bytes, key: bytes) -> list[int]:
    """The 4x4 words of Salsa20: constants on the diagonal, key, 16 bytes of nonce and counter."""
    k = struct.unpack("<8I", key)
    n = struct.unpack("<4I", position)
    s = _SIGMA
    return [s[0], *k[:4], s[1], *n, s[2], *k[4:], s[3]]


def _rounds(state: list[int]) -> list[int]:
    """Twenty rounds over a copy of ``state``, without the final addition."""
    x = list(state)
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            x[b] ^= _rotate(x[a] + x[d], 7)
            x[c] ^= _rotate(x[b] + x[a], 9)
            x[d] ^= _rotate(x[c] + x[b], 13)
            x[a] ^= _rotate(x[d] + x[c], 18)
    return x


def _rotate(value: int, bits: int) -> int:
    value &= _MASK
    return ((value << bits) & _MASK) | (value >> (32 - bits))
