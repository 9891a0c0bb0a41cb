"""The few system calls of the store, and what their errors mean to a person."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from holdfast.encoding import Buffer
from holdfast.errors import DiskFullError, StoreError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
_VECTOR = min(1024, os.sysconf("SC_IOV_MAX")) if hasattr(os, "sysconf") else 16
"""Pieces that one pwritev takes."""

SYNC_ALL_AT = 32
"""From this many files on, one syncfs is cheaper than a sync of each."""

_data_sync = getattr(os, "fdatasync", os.fsync)


class SyncFailed(OSError):
    """A sync reported an error: the system may have dropped bytes that it had taken (fsync(2))."""


def is_full(error: OSError) -> bool:
    """Whether freeing space would help."""
    return error.errno in _FULL


def explain(error: OSError) -> StoreError:
    """The store's error for one of the operating system's."""
    if is_full(error):
        return DiskFullError("The disk that holds the store is full.")
    if error.errno in _TOO_MANY:
        return StoreError(
            "This process has too many files open.", "Raise the limit (ulimit -n) and try again."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreError(
            f"The store cannot be written: {error.strerror}.",
            "Check who owns the directory and whether the disk is mounted read-only.",
        )
    return StoreError(
        f"The disk reported an error: {error.strerror}.",
        "Stop, check the disk, and open the store again: it verifies itself.",
    )


def write_all(fd: int, data: Buffer, offset: int) -> None:
    """Write every byte at ``offset``, however few the system takes at once."""
    written = os.pwrite(fd, data, offset)
    while written < len(data):
        data = memoryview(data)[written:]
        offset += written
        written = os.pwrite(fd, data, offset)


def write_parts(fd: int, parts: Sequence[Buffer], offset: int) -> None:
    """Write the parts end to end at ``offset`` without joining them."""
    for start in range(0, len(parts), _VECTOR):
        group = parts[start : start + _VECTOR]
        size = sum(map(len, group))
        if os.pwritev(fd, group, offset) < size:
            write_all(fd, b"".join(group), offset)
        offset += size


def data_sync(fd: int) -> None:
    """Make a file's content durable, and as much metadata as reading it back needs.

    Raises `SyncFailed`, after which nothing written since the last sync can be relied on.
    """
    try:
        _data_sync(fd)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror) from error


def sync_path(path: Path | str) -> None:
    """Make a file, or the entries of a directory, durable. Raises `SyncFailed`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        os.close(fd)


def sync_paths(paths: Iterable[Path | str], root: Path | str) -> None:
    """Make many files of the filesystem that holds ``root`` durable. Raises `SyncFailed`."""
    paths = list(paths)
    if len(paths) >= SYNC_ALL_AT and _syncfs(root):
        return
    for path in paths:
        sync_path(path)


def replace_file(path: Path, data: bytes) -> None:
    """Put a small file in the place of another, so that a crash leaves one of the two."""
    draft = path.with_name(path.name + ".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data, 0)
        data_sync(fd)
    finally:
        os.close(fd)
    os.replace(draft, path)
    sync_path(path.parent)


try:
    _libc: ctypes.CDLL | None = ctypes.CDLL(None, use_errno=True)
except (OSError, TypeError):  # no C library to be found this way: every caller has another way
    _libc = None


def c_function(name: str) -> ctypes._CFuncPtr | None:  # type: ignore[name-defined]
    """A function of the C library, or None where there is none of that name."""
    return getattr(_libc, name, None) if _libc is not None else None


def _syncfs(root: Path | str) -> bool:
    call = c_function("syncfs")
    if call is None:
        return False
    fd = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if call(fd) != 0:
            code = ctypes.get_errno()
            raise SyncFailed(code, os.strerror(code), os.fspath(root))
    finally:
        os.close(fd)
    return True
