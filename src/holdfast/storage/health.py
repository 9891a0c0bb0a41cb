"""What can be told about a disk and a store from outside, without opening or changing the store."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import DamagedError, StoreVersionError
from holdfast.storage import identity, layout, lease

SYNCS = 12
"""Times a file is made durable to see how long that takes; the median is what counts."""


@dataclass(frozen=True)
class Space:
    """Room on a filesystem, for this user."""

    free: int
    total: int
    free_files: int | None
    """How many more files it can hold; None where that is not counted."""


@dataclass(frozen=True)
class StoreLook:
    """A store as seen from outside."""

    version: int | None = None
    """The version of its format; None when there is no store (yet)."""
    holder: str | None = None
    """Which process has it open."""
    at_home: bool = True
    """Whether it lies where it was made; a copy does not."""
    newest: float = 0.0
    """When any of its files was last changed (seconds since 1970)."""


def nearest_directory(path: Path) -> Path:
    """The directory itself, or the nearest one above it that exists."""
    path = path.absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def space(directory: Path) -> Space:
    """How much room there is. Raises `OSError`."""
    found = os.statvfs(directory)
    files = found.f_favail if found.f_files else None
    return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, files)


def sync_seconds(directory: Path, clock: Callable[[], float] = time.perf_counter) -> float:
    """How long it takes to make a small change durable, as a store does. Raises `OSError`.

    A file is made in the directory and removed again.
    """
    times = []
    fd, name = tempfile.mkstemp(prefix=".holdfast-doctor-", dir=directory)
    try:
        for _ in range(SYNCS):
            start = clock()
            os.write(fd, bytes(4096))
            os.fsync(fd)
            times.append(clock() - start)
        size = os.fstat(fd).st_size
        if size != SYNCS * 4096:
            raise OSError(0, f"a file of {SYNCS * 4096} bytes has {size}")
    finally:
        os.close(fd)
        os.unlink(name)
    return sorted(times)[len(times) // 2]


def look_at_store(directory: Path) -> StoreLook:
    """What can be seen of the store in a directory, whoever holds it.

    Raises `StoreVersionError` for a newer format or a directory of something else, `DamagedError`,
    and `OSError`.
    """
    if not directory.is_dir():
        if directory.exists():
            raise StoreVersionError(f"{directory} is a file, not a store.")
        return StoreLook()
    names = set(os.listdir(directory))
    if layout.FORMAT not in names:
        layout.refuse_foreign(directory, names)
        return StoreLook()
    if layout.read_store_id(directory) is None:
        return StoreLook()
    changed = [entry.stat().st_mtime for entry in os.scandir(directory)]
    return StoreLook(
        layout.VERSION, lease.holder(directory / lease.NAME), _at_home(directory), max(changed)
    )


def _at_home(directory: Path) -> bool:
    try:
        return identity.is_at_home(directory, layout.home_of(directory))
    except FileNotFoundError as error:
        raise DamagedError(
            f"A file of the store is missing: {Path(error.filename).name}.",
            "Restore the store from a copy.",
        ) from error
