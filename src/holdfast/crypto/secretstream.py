"""libsodium's secretstream (XChaCha20-Poly1305): the cipher of an open connection (wire notes 4.4).

Each message grows by `STREAM_OVERHEAD` bytes. Messages open only in the order they were sealed: a
lost, repeated, reordered or changed one is noticed. A stream belongs to one thread at a time.

PyNaCl's wrappers copy every message twice. Its cffi library is therefore called directly where it
has the expected shape (self-tested below); the public wrappers remain as the fallback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import nacl.bindings as sodium
from nacl._sodium import ffi as _ffi  # type: ignore[import-not-found]
from nacl._sodium import lib as _lib
from nacl.exceptions import CryptoError

from holdfast.crypto.hashing import Buffer
from holdfast.errors import DecodeError

STREAM_KEY_BYTES = 32
STREAM_HEADER_BYTES = 24
STREAM_OVERHEAD = 17
"""One encrypted tag byte before the ciphertext and a 16-byte authenticator behind it."""

_REFUSED = "A message on the encrypted connection was changed, repeated or lost on the way."
_CHARS = "unsigned char[]"
_BEFORE, _BEHIND = bytes(1), bytes(16)
_NULL = _ffi.NULL
_from_buffer = _ffi.from_buffer
_allocate = _ffi.new_allocator(should_clear_after_alloc=False)
_view = _ffi.buffer


class Push(Protocol):
    """The sealing half."""

    header: bytes
    """What the other side needs, in the clear, to start its `PullStream`."""

    def push(self, plain: Buffer) -> bytes:
        """Seal one message."""

    def push_in_place(self, buffer: bytearray, start: int) -> None:
        """Seal the plaintext at ``buffer[start + 1 : -16]``, filling ``buffer[start:]``."""


class Pull(Protocol):
    """The opening half."""

    def pull(self, sealed: Buffer) -> bytes:
        """Open the next message; DecodeError if it is not the one the other side sealed next."""


class NativePush:
    """Sealing by libsodium in place, without copies."""

    __slots__ = ("_seal", "_state", "header")

    def __init__(self, key: bytes) -> None:
        _check(key, STREAM_KEY_BYTES)
        self._seal = _lib.crypto_secretstream_xchacha20poly1305_push
        self._state = _ffi.new(_CHARS, _lib.crypto_secretstream_xchacha20poly1305_statebytes())
        header = _ffi.new(_CHARS, STREAM_HEADER_BYTES)
        _lib.crypto_secretstream_xchacha20poly1305_init_push(self._state, header, key)
        self.header: bytes = _view(header)[:]

    def push(self, plain: Buffer) -> bytes:
        """Seal one message."""
        sealed = bytearray().join((_BEFORE, plain, _BEHIND))
        self.push_in_place(sealed, 0)
        return bytes(sealed)

    def push_in_place(self, buffer: bytearray, start: int) -> None:
        """Seal ``buffer[start + 1 : -16]``."""
        size = len(buffer) - start - STREAM_OVERHEAD
        if size < 0 or start < 0:
            raise ValueError("no room for the tag and the authenticator")
        target = _from_buffer(buffer) + start
        self._seal(self._state, target, _NULL, target + 1, size, _NULL, 0, 0)


class NativePull:
    """Opening by libsodium with one copy, out of memory that is not cleared first."""

    __slots__ = ("_open", "_state", "_tag")

    def __init__(self, key: bytes, header: bytes) -> None:
        _check(key, STREAM_KEY_BYTES)
        _check(header, STREAM_HEADER_BYTES)
        self._open = _lib.crypto_secretstream_xchacha20poly1305_pull
        self._state = _ffi.new(_CHARS, _lib.crypto_secretstream_xchacha20poly1305_statebytes())
        self._tag = _ffi.new(_CHARS, 1)
        _lib.crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)

    def pull(self, sealed: Buffer) -> bytes:
        """Open the next message."""
        total = len(sealed)
        size = total - STREAM_OVERHEAD
        if size < 0:
            raise DecodeError(_REFUSED)
        plain = _allocate(_CHARS, size or 1)
        source = _from_buffer(sealed)
        if self._open(self._state, plain, _NULL, self._tag, source, total, _NULL, 0):
            raise DecodeError(_REFUSED)
        opened: bytes = _view(plain, size)[:]
        return opened


class PortablePush:
    """Sealing through PyNaCl's public wrappers."""

    def __init__(self, key: bytes) -> None:
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        self.header = sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)

    def push(self, plain: Buffer) -> bytes:
        """Seal one message."""
        return sodium.crypto_secretstream_xchacha20poly1305_push(self._state, bytes(plain))

    def push_in_place(self, buffer: bytearray, start: int) -> None:
        """Seal ``buffer[start + 1 : -16]``."""
        buffer[start:] = self.push(bytes(memoryview(buffer)[start + 1 : len(buffer) - 16]))


class PortablePull:
    """Opening through PyNaCl's public wrappers."""

    def __init__(self, key: bytes, header: bytes) -> None:
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)

    def pull(self, sealed: Buffer) -> bytes:
        """Open the next message."""
        if len(sealed) < STREAM_OVERHEAD:
            raise DecodeError(_REFUSED)
        try:
            plain, _ = sodium.crypto_secretstream_xchacha20poly1305_pull(self._state, bytes(sealed))
        except CryptoError as error:
            raise DecodeError(_REFUSED) from error
        return plain


def _check(value: bytes, size: int) -> None:
    if len(value) != size:
        raise ValueError(f"expected {size} bytes, not {len(value)}")


def _agree(push: Callable[[bytes], Push], pull: Callable[[bytes, bytes], Pull]) -> bool:
    """Whether these halves understand the portable ones, both ways, and notice a changed bit."""
    key, message = bytes(range(32)), bytes(range(200))
    try:
        ours, theirs = push(key), PortablePush(key)
        sealed = bytearray(ours.push(message))
        opened = PortablePull(key, ours.header).pull(bytes(sealed))
        back = pull(key, theirs.header).pull(theirs.push(message))
        sealed[-1] ^= 1
        pull(key, ours.header).pull(sealed)
    except DecodeError:
        return opened == back == message
    except (AttributeError, TypeError, ValueError):
        return False
    return False


secretstream_is_native = _agree(NativePush, NativePull)
PushStream: Callable[[bytes], Push] = NativePush if secretstream_is_native else PortablePush
"""``PushStream(key)``: the sealing half, under a fresh random header."""
PullStream: Callable[[bytes, bytes], Pull] = NativePull if secretstream_is_native else PortablePull
"""``PullStream(key, header)``: the opening half."""
