"""What looking at a drive gives, beside its entries."""

from __future__ import annotations

from typing import Any, NamedTuple

from holdfast.hyperbee import Difference, Entry
from holdfast.hyperdrive.entry import FileEntry, file_entry

Name = str | FileEntry
"""A path, or an entry that was listed."""


class FileChange(NamedTuple):
    """A path that differs between two versions: its entry now and before, None where absent."""

    path: str
    now: FileEntry | None
    before: FileEntry | None

    @property
    def kind(self) -> str:
        """``"added"``, ``"changed"`` or ``"removed"``."""
        if self.before is None:
            return "added"
        return "removed" if self.now is None else "changed"


class LogEntry(NamedTuple):
    """One step of the history: after it the drive had ``version``. ``kind`` is "put" or "del"."""

    version: int
    kind: str
    path: str
    entry: FileEntry | None


class Stat(NamedTuple):
    """What lies under a path. ``kind`` is "file", "link" or "folder" (without an entry or size)."""

    path: str
    kind: str
    size: int
    entry: FileEntry | None


def path_of(name: Name) -> str:
    """The path that a name stands for."""
    return name.path if isinstance(name, FileEntry) else name


def file_of(found: Entry) -> FileEntry:
    """The entry of a file as the tree gives it."""
    return file_entry(found.key, found.seq, found.value)


def change(found: Difference) -> FileChange:
    """A difference of the tree as one of the drive."""
    left, right = found.left, found.right
    path = (left or right).key  # type: ignore[union-attr]
    return FileChange(path, left and file_of(left), right and file_of(right))


def inside(top: str) -> dict[str, Any]:
    """Bounds of what lies in a folder: "0" comes right after "/"."""
    return {"gt": top + "/", "lt": top + "0"}
