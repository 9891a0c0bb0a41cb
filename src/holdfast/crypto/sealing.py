"""Secrets at rest: argon2id turns a passphrase into a key, a secretbox keeps what it protects.

Sealed form: version 1, passes u8, memory in MiB u16le, salt 16, nonce 24, secretbox. The costs are
stored so that they can be raised later without losing old stores.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import nacl.bindings as sodium

from holdfast.crypto.aead import (
    BOX_NONCE_BYTES,
    BOX_TAG_BYTES,
    random_bytes,
    secretbox,
    secretbox_open,
)
from holdfast.errors import DamagedError, DecodeError, PassphraseError

SALT_BYTES = 16
DEFAULT_PASSES = 3
DEFAULT_MEMORY_MIB = 64
"""RFC 9106's second recommended choice: about 0.2 s, and fits a small machine."""

MAX_PASSES = 16
MAX_MEMORY_MIB = 1024
"""A damaged or planted header must not make us work for hours or take all memory."""

_VERSION = 1
_HEADER = struct.Struct("<BBH16s24s")


def passphrase_key(
    passphrase: str | bytes,
    salt: bytes,
    *,
    passes: int = DEFAULT_PASSES,
    memory_mib: int = DEFAULT_MEMORY_MIB,
) -> bytes:
    """32-byte key by argon2id; ``salt`` has 16 bytes. Slow on purpose."""
    secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
    algorithm = sodium.crypto_pwhash_ALG_ARGON2ID13
    return sodium.crypto_pwhash_alg(32, secret, salt, passes, memory_mib << 20, algorithm)


def seal(
    secret: bytes,
    passphrase: str | bytes,
    *,
    passes: int = DEFAULT_PASSES,
    memory_mib: int = DEFAULT_MEMORY_MIB,
    random: Callable[[int], bytes] = random_bytes,
) -> bytes:
    """``secret`` as bytes that only ``passphrase`` opens (60 bytes longer)."""
    salt, nonce = random(SALT_BYTES), random(BOX_NONCE_BYTES)
    key = passphrase_key(passphrase, salt, passes=passes, memory_mib=memory_mib)
    return _HEADER.pack(_VERSION, passes, memory_mib, salt, nonce) + secretbox(key, nonce, secret)


def unseal(sealed: bytes, passphrase: str | bytes) -> bytes:
    """Open what `seal` made: PassphraseError if it does not open, DamagedError if malformed.

    A box damaged behind an intact header cannot be told from a wrong passphrase: PassphraseError.
    """
    if len(sealed) < _HEADER.size + BOX_TAG_BYTES:
        raise DamagedError("The sealed secret is cut short.", "Restore it from a backup.")
    version, passes, memory_mib, salt, nonce = _HEADER.unpack_from(sealed)
    if version != _VERSION:
        raise DamagedError("The sealed secret has a form this program does not know.")
    if not (1 <= passes <= MAX_PASSES and 1 <= memory_mib <= MAX_MEMORY_MIB):
        raise DamagedError(
            "The sealed secret asks for an absurd amount of work.", "Restore it from a backup."
        )
    key = passphrase_key(passphrase, salt, passes=passes, memory_mib=memory_mib)
    try:
        return secretbox_open(key, nonce, sealed[_HEADER.size :])
    except DecodeError:
        raise PassphraseError("The passphrase does not open this store.") from None
