"""The directory of a store: making it, and refusing what is not one of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from holdfast.errors import DamagedError, StoreError, StoreVersionError
from holdfast.storage import identity, index, journal, lease, mark, secrets
from holdfast.storage.disk import sync_path
from holdfast.storage.twice import read_twice, write_twice

FORMAT = "format"
CORES = "cores"
VERSION = 1
_MAGIC = b"HOLDFAST"
_MAKING = b"making"
_READY = b"ready"
_ID_BYTES = 16
CONFIGURATION = "holdfast.toml"
"""What its owner says about a store lies beside it, possibly before there is one."""
_BEFORE_FORMAT = {lease.NAME, FORMAT + ".new", CONFIGURATION}
_STAYING = (index.NAME, *journal.NAMES)
"""Files that keep their inode for the life of a store."""


def prepare_directory(directory: Path) -> None:
    """Make the directory (and those above it), and refuse one that holds something else."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise StoreVersionError(f"{directory} is a file, not a store.") from None
    except OSError as error:
        raise StoreError(f"{directory} cannot be made: {error.strerror}.") from error
    refuse_foreign(directory, set(os.listdir(directory)))


def refuse_foreign(directory: Path, names: set[str]) -> None:
    """Raise `StoreVersionError` when the names in a directory are not those of a store."""
    if FORMAT not in names and not names <= _BEFORE_FORMAT:
        raise StoreVersionError(
            f"{directory} is not empty and is not a Holdfast store.",
            "Name an empty or new directory, or the right store.",
        )


def read_store_id(directory: Path) -> bytes | None:
    """The store's id; None when there is no store yet, or its making was cut off.

    Raises `StoreVersionError` for a newer format and `DamagedError`.
    """
    try:
        content = read_twice(directory / FORMAT, _MAGIC)
    except FileNotFoundError:
        return None
    if content is None:
        raise DamagedError(
            f"The file {directory / FORMAT} is damaged.", "Restore it from a copy of the store."
        )
    version = int.from_bytes(content[:4], "little")
    if version > VERSION:
        raise StoreVersionError(
            f"This store has format {version}; this program knows up to {VERSION}.",
            "Use the newer Holdfast that wrote it.",
        )
    if version < 1:
        raise StoreVersionError(f"This store has a format ({version}) that never existed.")
    store_id, state = content[4 : 4 + _ID_BYTES], content[4 + _ID_BYTES :]
    return store_id if state == _READY else None


def make_store(
    directory: Path, primary_key: bytes, passphrase: str | None, random: Callable[[int], bytes]
) -> bytes:
    """Make every file of an empty store, durably; returns its id.

    What an earlier attempt left behind is written over: nobody was ever told that it worked.
    """
    store_id = random(_ID_BYTES)
    _write_format(directory, store_id, _MAKING)
    for name in os.listdir(directory):
        if name.startswith(index.NAME):
            os.unlink(directory / name)
    secrets.write_primary_key(directory / secrets.NAME, primary_key, passphrase)
    index.Index.create(directory / index.NAME)
    for name in journal.NAMES:
        journal.JournalFile.create(directory / name)
    mark.Mark.create(directory / mark.NAME)
    (directory / CORES).mkdir(exist_ok=True, mode=0o700)
    for name in (*journal.NAMES, mark.NAME, index.NAME, CORES, "."):
        sync_path(directory / name)
    identity.write_identity(directory, home_of(directory))
    _write_format(directory, store_id, _READY)
    return store_id


def home_of(directory: Path) -> bytes:
    """Where the store lies now (see `identity`)."""
    return identity.fingerprint(directory, _STAYING)


def _write_format(directory: Path, store_id: bytes, state: bytes) -> None:
    write_twice(directory / FORMAT, _MAGIC, VERSION.to_bytes(4, "little") + store_id + state)
