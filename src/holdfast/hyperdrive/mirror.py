"""What both directions of mirroring have in common: progress, results, times, what to leave out."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from holdfast.errors import DiskFullError, HoldfastError, LocalError, PathError
from holdfast.hyperdrive.paths import folder, under

Ignore = Callable[[str], bool] | Iterable[str]
"""Paths to leave out, with all below them: a test of a path, or the paths themselves."""


class Progress(NamedTuple):
    """How far a mirror is: files and bytes looked at so far, of how many, and the present path."""

    files: int
    bytes: int
    total_files: int
    total_bytes: int
    path: str


Report = Callable[[Progress], None]


class Refused(NamedTuple):
    """A file that was left out, and why."""

    path: str
    error: HoldfastError


@dataclass(slots=True)
class Mirrored:
    """What a mirror did; files that were refused are listed, all others are in place."""

    files: int = 0
    """Files and links looked at."""
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    bytes: int = 0
    """Bytes of the files added or changed."""
    refused: list[Refused] = field(default_factory=list)


class Counter:
    """Counts what was done and reports it."""

    def __init__(self, report: Report | None) -> None:
        self.result = Mirrored()
        self.total_files = 0
        self.total_bytes = 0
        self._bytes = 0
        self._report = report

    def refuse(self, path: str, error: HoldfastError) -> None:
        """A file cannot be mirrored; the others go on."""
        self.result.refused.append(Refused(path, error))

    def advance(self, path: str, size: int = 0, *, files: int = 0) -> None:
        """So many more bytes, and files, are dealt with."""
        self.result.files += files
        self._bytes += size
        if self._report is not None:
            done = self.result.files, self._bytes
            self._report(Progress(*done, self.total_files, self.total_bytes, path))


def ignorer(ignore: Ignore | None) -> Callable[[str], bool]:
    """The test that `Ignore` stands for."""
    if ignore is None:
        return lambda path: False
    if callable(ignore):
        return ignore
    tops = [folder(path) for path in ignore]
    return lambda path: any(under(path, top) for top in tops)


def mtime_metadata(nanoseconds: int) -> dict[str, Any]:
    """Metadata with a modification time: milliseconds, as JavaScript counts them."""
    milliseconds, rest = divmod(nanoseconds // 1000, 1000)
    return {"mtime": milliseconds + rest / 1000 if rest else milliseconds}


def mtime_of(metadata: Any) -> int | None:
    """The modification time (nanoseconds) in the metadata of any writer, or None."""
    found = metadata.get("mtime") if isinstance(metadata, dict) else None
    if not isinstance(found, int | float) or not 0 <= found < 1 << 43:
        return None
    return round(found * 1000) * 1000


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {
    errno.ENOTDIR: "lies under something that is not a folder",
    errno.ELOOP: "leads through a symbolic link",
    errno.EISDIR: "is a folder already",
    errno.ENOTEMPTY: "is a folder already",
    errno.EEXIST: "is there already",
    errno.ENAMETOOLONG: "is too long a name",
    errno.EINVAL: "is not a name this disk can take",
    errno.EILSEQ: "is not a name this disk can take",
    errno.EACCES: "may not be touched by this user",
    errno.EPERM: "may not be touched by this user",
    errno.ENOENT: "went away",
}


def plain_error(path: str, error: OSError) -> HoldfastError:
    """An error of the operating system in our words: `PathError` for this file, else for all."""
    if error.errno in _FULL:
        return DiskFullError("The disk is full.")
    why = _REFUSED.get(error.errno or 0)
    if why is not None:
        return PathError(f"{path!r} {why}.")
    return LocalError(f"{path!r} could not be handled: {error.strerror or error}.")
