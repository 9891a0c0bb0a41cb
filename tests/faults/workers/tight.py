"""Places with little room: a small filesystem (needs root), or a limit on the size of files."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.disks import SmallDisk

ROOM = 8 << 20
"""Bytes of the small disk."""
LITTLE = 2 << 20
"""Bytes for which there is room in a tight place, about."""


class Tight:
    """A directory in which a few megabytes find no room until `free`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def tighten(self, little: int = LITTLE) -> None:
        """From now on there is room for ``little`` bytes only."""
        raise NotImplementedError

    def free(self) -> None:
        """From now on there is room again."""
        raise NotImplementedError


class TightDisk(Tight):
    """A filesystem of a few megabytes with ballast in it."""

    def tighten(self, little: int = LITTLE) -> None:
        with (self.directory / "ballast").open("wb") as ballast:
            ballast.write(bytes(shutil.disk_usage(self.directory).free - little))

    def free(self) -> None:
        (self.directory / "ballast").unlink()


class TightFiles(Tight):
    """No file may grow beyond the limit (EFBIG, not ENOSPC)."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def tighten(self, little: int = LITTLE) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (little, self._before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@contextmanager
def tight_place(kind: str, directory: Path) -> Iterator[Tight]:
    """A tight directory of a kind; skips the test when this machine cannot have it."""
    if kind == "files":
        (directory / "small").mkdir()
        limited = TightFiles(directory / "small")
        try:
            yield limited
        finally:
            limited.free()
        return
    disk = SmallDisk(directory, str(ROOM))
    try:
        yield TightDisk(disk.mounted)
    finally:  # a test that failed may still have files open there
        subprocess.run(["umount", "-l", str(disk.mounted)], check=True)
