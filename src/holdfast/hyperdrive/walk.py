"""Going through a folder on disk, and reading what is to be stored."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import PathError
from holdfast.hyperdrive.mirror import Refused, plain_error
from holdfast.hyperdrive.source import PlainFile


class Found(NamedTuple):
    """A file or symbolic link on disk. ``link`` is where a link leads, else None."""

    path: str
    """Its path below the top folder, with a slash in front."""
    size: int
    mtime: int
    """Nanoseconds."""
    executable: bool
    link: str | None


def walk(top: Path, ignored: Callable[[str], bool]) -> Iterator[Found | Refused]:
    """All files and links under a folder, by name within each folder; links are not followed.

    What can be neither (sockets, devices, unreadable folders) is told as refused.
    """
    stack: list[Iterator[str]] = [iter([""])]
    while stack:
        path = next(stack[-1], None)
        if path is None:
            stack.pop()
            continue
        try:
            status = os.stat(top) if not path else os.lstat(f"{top}{path}")
            if stat.S_ISDIR(status.st_mode):
                names = sorted(os.listdir(f"{top}{path}"))
                stack.append(filter_names(path, names, ignored))
            else:
                yield found(top, path, status)
        except OSError as error:
            yield Refused(path or str(top), plain_error(path or str(top), error))


def filter_names(path: str, names: list[str], ignored: Callable[[str], bool]) -> Iterator[str]:
    """Paths of the names in a folder that are not left out."""
    return (below for name in names if not ignored(below := f"{path}/{name}"))


def found(top: Path, path: str, status: os.stat_result) -> Found | Refused:
    """A file or link as it lies on disk."""
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        return Found(path, 0, status.st_mtime_ns, False, os.readlink(f"{top}{path}"))
    if not stat.S_ISREG(mode):
        return Refused(path, PathError(f"{path!r} is neither a file nor a folder nor a link."))
    return Found(path, status.st_size, status.st_mtime_ns, bool(mode & 0o100), None)


def open_file(top: Path, path: str) -> PlainFile:
    """Open a regular file below a folder; raises OSError for anything else that is there by now."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(f"{top}{path}", flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "not a regular file")
    return PlainFile(descriptor)


def unchanged_since(file: PlainFile, before: Found) -> bool:
    """Whether an open file still has the size and time that were seen."""
    status = os.fstat(file.fileno())
    return (status.st_size, status.st_mtime_ns) == (before.size, before.mtime)


def read_small(top: Path, files: list[Found]) -> list[bytes | OSError]:
    """The contents of small files; OSError for those that cannot be read or changed meanwhile."""
    contents: list[bytes | OSError] = []
    for one in files:
        try:
            with open_file(top, one.path) as file:
                data = file.read(one.size + 1)
                if not unchanged_since(file, one) or len(data) != one.size:
                    raise OSError(11, "it was changed while it was read")
                contents.append(data)
        except OSError as error:
            contents.append(error)
    return contents


def exists(top: Path, path: str) -> bool:
    """Whether a file or link (no folder) of that name is there."""
    try:
        return not stat.S_ISDIR(os.lstat(f"{top}{path}").st_mode)
    except (OSError, ValueError):
        return False
