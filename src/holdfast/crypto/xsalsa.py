"""XSalsa20, the block cipher of encrypted cores (wire notes 4.7).

PyNaCl does not bind it, but its own shared library holds it. It is called there through ctypes
after a self-test; where that fails (another build of libsodium) the portable form takes over.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from nacl import _sodium

from holdfast.crypto.hashing import Buffer
from holdfast.crypto.salsa import xsalsa20_xor_portable

XSALSA_NONCE_BYTES = 24
XSALSA_KEY_BYTES = 32

_InPlace = Callable[[bytearray, int, bytes, bytes], None]


def _load_native() -> _InPlace:
    """XSalsa20 over ``buffer[start:]`` by libsodium; AttributeError or OSError if out of reach."""
    function = ctypes.CDLL(_sodium.__file__).crypto_stream_xsalsa20_xor
    pointer, size = ctypes.c_void_p, ctypes.c_ulonglong
    function.argtypes = (pointer, pointer, size, ctypes.c_char_p, ctypes.c_char_p)
    function.restype = ctypes.c_int
    address_of, view_of = ctypes.addressof, ctypes.c_char.from_buffer

    def in_place(buffer: bytearray, start: int, nonce: bytes, key: bytes) -> None:
        size = len(buffer) - start
        if size:
            address = address_of(view_of(buffer, start))
            function(address, address, size, nonce, key)

    return in_place


def _portable(buffer: bytearray, start: int, nonce: bytes, key: bytes) -> None:
    buffer[start:] = xsalsa20_xor_portable(bytes(memoryview(buffer)[start:]), nonce, key)


def _choose(load: Callable[[], _InPlace]) -> _InPlace:
    """The native form if it loads and agrees with the portable one, else the portable one."""
    try:
        native = load()
        expected = bytearray(range(100))
        got = bytearray(expected)
        nonce, key = bytes(range(24)), bytes(range(100, 132))
        _portable(expected, 3, nonce, key)
        native(got, 3, nonce, key)
    except (OSError, AttributeError, TypeError, ValueError):
        return _portable
    return native if got == expected else _portable


_xor = _choose(_load_native)
xsalsa20_is_native = _xor is not _portable


def xsalsa20_xor(data: Buffer, nonce: bytes, key: bytes) -> bytes:
    """``data`` XOR the keystream of (24-byte nonce, 32-byte key); the same call undoes it."""
    buffer = bytearray(data)
    xsalsa20_xor_in_place(buffer, nonce, key)
    return bytes(buffer)


def xsalsa20_xor_in_place(buffer: bytearray, nonce: bytes, key: bytes, start: int = 0) -> None:
    """XOR ``buffer[start:]`` with the keystream from its first byte on, without a copy."""
    if len(nonce) != XSALSA_NONCE_BYTES or len(key) != XSALSA_KEY_BYTES:
        raise ValueError("XSalsa20 takes a nonce of 24 bytes and a key of 32")
    if not 0 <= start <= len(buffer):
        raise ValueError("start lies outside the buffer")
    _xor(buffer, start, nonce, key)
