"""The primary key on disk: as it is (mode 0600), or sealed with a passphrase."""

from __future__ import annotations

from pathlib import Path

from holdfast.crypto import blake2b, random_bytes, seal, secretbox, secretbox_open, unseal
from holdfast.errors import DamagedError, DecodeError, PassphraseError
from holdfast.storage.twice import read_twice, write_twice

NAME = "secrets"
KEY_BYTES = 32
_MAGIC = b"HFSECR1\n"
_PLAIN = b"\0"
_SEALED = b"\1"
_NONCE_BYTES = 24
_LOST = "Restore this file from a copy of the store: without it no log of yours can be continued."


def write_primary_key(path: Path, key: bytes, passphrase: str | None) -> None:
    """Keep the key, sealed when there is a passphrase; durable when it returns."""
    content = _PLAIN + key if passphrase is None else _SEALED + seal(key, passphrase)
    write_twice(path, _MAGIC, content)


def read_primary_key(path: Path, passphrase: str | None) -> bytes:
    """The key. Raises `PassphraseError` (none given, or the wrong one) and `DamagedError`."""
    try:
        content = read_twice(path, _MAGIC)
    except FileNotFoundError:
        raise DamagedError("The file with the store's primary key is missing.", _LOST) from None
    if content is None or content[:1] not in (_PLAIN, _SEALED):
        raise DamagedError("The file with the store's primary key is damaged.", _LOST)
    if content[:1] == _SEALED:
        if passphrase is None:
            raise PassphraseError(
                "This store is sealed with a passphrase.", "Give it with --passphrase-file."
            )
        return unseal(content[1:], passphrase)
    if len(content) != 1 + KEY_BYTES:
        raise DamagedError("The file with the store's primary key is damaged.", _LOST)
    return content[1:]


def values_key(primary_key: bytes) -> bytes:
    """The key that small secret values of this store are sealed with."""
    return blake2b(b"holdfast/storage/secret values", key=primary_key)


def seal_value(key: bytes, value: bytes) -> bytes:
    """A value as it lies among the settings."""
    nonce = random_bytes(_NONCE_BYTES)
    return nonce + secretbox(key, nonce, value)


def open_value(key: bytes, sealed: bytes) -> bytes:
    """Open what `seal_value` made; `DamagedError` when it was sealed for another store."""
    try:
        return secretbox_open(key, sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:])
    except DecodeError:
        raise DamagedError("A secret value of this store does not open with its key.") from None
