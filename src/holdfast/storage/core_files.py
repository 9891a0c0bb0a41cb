"""The files of the logs: where they are, and a bounded number of them open.

No directory for each log: making thousands of logs costs mostly the making of files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from holdfast.storage.disk import write_all
from holdfast.storage.space import allocated

LEAVES, NODES, DATA = 0, 1, 2
SUFFIXES = (".leaves", ".nodes", ".data")
LEAVES_START = 1024
"""Leaf records begin here; before them lie two slots with the log's key and head."""

MAX_OPEN = 120
"""Descriptors held at most: well below the 256 of the meanest default limit."""


class CoreFiles:
    """Opens files of logs by number and keeps the most recently opened; not for other threads."""

    def __init__(self, root: Path) -> None:
        self.root = os.fspath(root)
        self.open: dict[int, int] = {}
        """Descriptors by four times the log's number plus the kind; those of `fd`, not to keep."""
        self._missing: set[int] = set()  # asking the system again and again is slow
        self.new_directories: set[str] = set()
        """Directories with entries that no sync has covered yet."""

    def stem(self, discovery_key: bytes) -> str:
        """Path of a log's files without their suffix."""
        name = discovery_key.hex()
        return f"{self.root}/{name[:2]}/{name}"

    def path(self, discovery_key: bytes, kind: int) -> str:
        """One of its files."""
        return self.stem(discovery_key) + SUFFIXES[kind]

    def fd(self, core: int, discovery_key: bytes, kind: int, *, create: bool = False) -> int:
        """An open descriptor, or -1 when the file is not there and ``create`` is False.

        Good until the next call.
        """
        number = core << 2 | kind
        found = self.open.get(number)
        if found is not None:
            return found
        if not create and number in self._missing:
            return -1
        path = self.path(discovery_key, kind)
        try:
            fd = self._descriptor(lambda: os.open(path, os.O_RDWR | os.O_CLOEXEC))
        except FileNotFoundError:
            if not create:
                self._missing.add(number)
                return -1
            fd = self._descriptor(lambda: create_file(path))
            self.note_new(discovery_key)
            self._missing.discard(number)
        if len(self.open) >= MAX_OPEN:
            self._close_oldest(MAX_OPEN // 8)
        self.open[number] = fd
        return fd

    def _descriptor(self, open_it: Callable[[], int]) -> int:
        """Open a file; when the process has no descriptor left, with one of ours."""
        try:
            return open_it()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self.open:
                raise
        self._close_oldest((len(self.open) + 1) // 2)
        return open_it()

    def note_new(self, discovery_key: bytes) -> None:
        """The next sync must cover the way to a log's files."""
        self.new_directories.update((os.path.dirname(self.stem(discovery_key)), self.root))

    def _close_oldest(self, count: int) -> None:
        for number in list(self.open)[:count]:
            os.close(self.open.pop(number))

    def appeared(self, core: int) -> None:
        """A checkpoint has made the files of a log."""
        for kind in range(len(SUFFIXES)):
            self._missing.discard(core << 2 | kind)

    def forget(self, core: int) -> None:
        """Close what is open of one log."""
        for kind in range(len(SUFFIXES)):
            fd = self.open.pop(core << 2 | kind, None)
            if fd is not None:
                os.close(fd)

    def remove(self, discovery_key: bytes) -> None:
        """Delete a log's files, if there are any."""
        stem = self.stem(discovery_key)
        for suffix in SUFFIXES:
            try:
                os.unlink(stem + suffix)
            except FileNotFoundError:
                pass

    def allocated(self, discovery_key: bytes) -> int:
        """Bytes of disk its files take."""
        stem = self.stem(discovery_key)
        return sum(allocated(stem + suffix) for suffix in SUFFIXES)

    def close(self) -> None:
        """Close every file."""
        self._close_oldest(len(self.open))


def create_file(path: str) -> int:
    """Open a file of a log for writing, making it and its directory when they are not there."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, flags, 0o600)


def write_records(fd: int, start: int, size: int, records: dict[int, bytes]) -> None:
    """Write records of ``size`` bytes at their numbers, neighbours together."""
    numbers = sorted(records)
    first = 0
    for last in range(1, len(numbers) + 1):
        if last < len(numbers) and numbers[last] == numbers[last - 1] + 1:
            continue
        group = b"".join(map(records.__getitem__, numbers[first:last]))
        write_all(fd, group, start + size * numbers[first])
        first = last
