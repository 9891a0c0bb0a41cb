"""The files of the logs: where they are, and a bounded number of them open."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.storage.disk import write_all
from holdfast.storage.space import allocated

LEAVES, NODES, DATA = 0, 1, 2
FILE_NAMES = ("leaves", "nodes", "data")
LEAVES_START = 4096
"""Leaf records begin here; before them lie two slots with the log's key and head."""

MAX_OPEN = 120
"""Descriptors held at most: well below the 256 of the meanest default limit."""


class CoreFiles:
    """Opens files of logs by number and keeps the most recently opened; not for other threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[int, int] = {}
        self._missing: set[int] = set()  # asking the system again and again is slow
        self.new_directories: set[Path] = set()
        """Directories with entries that no sync has covered yet."""

    def directory(self, discovery_key: bytes) -> Path:
        """The directory of one log."""
        name = discovery_key.hex()
        return self.root / name[:2] / name

    def path(self, discovery_key: bytes, kind: int) -> Path:
        """One of its files."""
        return self.directory(discovery_key) / FILE_NAMES[kind]

    def fd(self, core: int, discovery_key: bytes, kind: int, *, create: bool = False) -> int:
        """An open descriptor, or -1 when the file is not there and ``create`` is False.

        Good until the next call.
        """
        number = core << 2 | kind
        found = self._open.get(number)
        if found is not None:
            return found
        if not create and number in self._missing:
            return -1
        path = self.path(discovery_key, kind)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            if not create:
                self._missing.add(number)
                return -1
            fd = self._create(path)
            self._missing.discard(number)
        if len(self._open) >= MAX_OPEN:
            self._close_oldest(MAX_OPEN // 8)
        self._open[number] = fd
        return fd

    def _create(self, path: Path) -> int:
        directory = path.parent
        if not directory.exists():
            directory.mkdir(parents=True, mode=0o700, exist_ok=True)
            self.new_directories.update((directory.parent, self.root))
        self.new_directories.add(directory)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _close_oldest(self, count: int) -> None:
        for number in list(self._open)[:count]:
            os.close(self._open.pop(number))

    def appeared(self, core: int) -> None:
        """A checkpoint has made the files of a log."""
        for kind in range(len(FILE_NAMES)):
            self._missing.discard(core << 2 | kind)

    def forget(self, core: int) -> None:
        """Close what is open of one log."""
        for kind in range(len(FILE_NAMES)):
            fd = self._open.pop(core << 2 | kind, None)
            if fd is not None:
                os.close(fd)

    def allocated(self, discovery_key: bytes) -> int:
        """Bytes of disk its files take."""
        directory = os.fspath(self.directory(discovery_key))
        return sum(allocated(f"{directory}/{name}") for name in FILE_NAMES)

    def close(self) -> None:
        self._close_oldest(len(self._open))


def write_records(path: Path, start: int, size: int, records: dict[int, bytes]) -> None:
    """Write records of ``size`` bytes at their numbers, neighbours together."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        numbers = sorted(records)
        first = 0
        for last in range(1, len(numbers) + 1):
            if last < len(numbers) and numbers[last] == numbers[last - 1] + 1:
                continue
            group = b"".join(map(records.__getitem__, numbers[first:last]))
            write_all(fd, group, start + size * numbers[first])
            first = last
    finally:
        os.close(fd)
