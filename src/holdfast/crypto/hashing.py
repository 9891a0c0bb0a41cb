"""BLAKE2b-256 plain and keyed, namespaces; HMAC and HKDF over BLAKE2b-512 (wire notes 4.1, 4.4)."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b as _blake2b
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Anything the primitives read without copying it first."""

Hasher: TypeAlias = _blake2b
"""A running BLAKE2b-256: ``update(data)``, ``digest()``, ``copy()``."""

hasher = partial(_blake2b, digest_size=32)
"""``hasher(first=b"") -> Hasher``: to feed long data piece by piece without joining it."""

_HYPERCORE = b"hypercore"
_new = _blake2b


def blake2b(data: Buffer, *, key: bytes = b"") -> bytes:
    """BLAKE2b-256 of ``data``, keyed when ``key`` (at most 64 bytes) is given."""
    return _new(data, digest_size=32, key=key).digest()


def blake2b_parts(*parts: Buffer, key: bytes = b"") -> bytes:
    """BLAKE2b-256 of ``parts`` end to end."""
    return _new(b"".join(parts), digest_size=32, key=key).digest()


def blake2b_prefixed(prefix: Buffer, data: Buffer) -> bytes:
    """BLAKE2b-256 of ``prefix`` and ``data`` end to end, without copying ``data``."""
    state = _new(prefix, digest_size=32)
    state.update(data)
    return state.digest()


def blake2b_prefixed_many(pairs: Sequence[tuple[Buffer, Buffer]]) -> list[bytes]:
    """`blake2b_prefixed` of each pair, with half the work on a second processor.

    Worth it from some hundred KiB on: hashing lets go of the interpreter for long data.
    """
    middle = len(pairs) // 2
    other = _helper().submit(_hash_all, pairs[middle:])
    return _hash_all(pairs[:middle]) + other.result()


def _hash_all(pairs: Sequence[tuple[Buffer, Buffer]]) -> list[bytes]:
    return [blake2b_prefixed(prefix, data) for prefix, data in pairs]


_helpers: list[ThreadPoolExecutor] = []
# A child process has no threads of its parent: it makes its own.
os.register_at_fork(after_in_child=_helpers.clear)


def _helper() -> ThreadPoolExecutor:
    if not _helpers:
        _helpers.append(ThreadPoolExecutor(1, "hash"))
    return _helpers[0]


def hash64(data: Buffer) -> bytes:
    """BLAKE2b-512, the hash of the Noise handshake."""
    return _new(data).digest()


def namespace(name: str, ids: Sequence[int]) -> list[bytes]:
    """One 32-byte constant per id (0-255) below ``name`` (wire notes 4.1)."""
    root = blake2b(name.encode())
    return [blake2b(root + bytes((number,))) for number in ids]


def discovery_key(key: bytes) -> bytes:
    """What a core is announced under: found by who knows ``key``, useless to who does not."""
    return _new(_HYPERCORE, digest_size=32, key=key).digest()


def hmac_blake2b(key: bytes, data: Buffer) -> bytes:
    """HMAC with BLAKE2b-512 (block 128): 64 bytes."""
    return hmac.digest(key, data, _blake2b)


def hkdf(chaining_key: bytes, secret: Buffer) -> tuple[bytes, bytes]:
    """The two 64-byte outputs of Noise's HKDF."""
    extracted = hmac_blake2b(chaining_key, secret)
    first = hmac_blake2b(extracted, b"\x01")
    return first, hmac_blake2b(extracted, first + b"\x02")


def equal(left: Buffer, right: Buffer) -> bool:
    """Compare in a time that does not tell where two secrets of one length differ."""
    return hmac.compare_digest(left, right)
