"""Disks that can be filled and whose power can be cut; they need root and a loop device."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest

_EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_NO_LOG_FLUSH = 2


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise OSError(f"{' '.join(command)}: {result.stderr.strip()}")


def _needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")


class LoopDisk:
    """An ext4 filesystem in a file; `cut` drops everything that was not synced."""

    def __init__(self, directory: Path, megabytes: int = 64) -> None:
        _needs_root()
        self.image = directory / "disk.img"
        self.mounted = directory / "disk"
        self.mounted.mkdir()
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        try:
            _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", str(self.image))
            self.mount()
        except OSError as error:
            pytest.skip(f"no loop device here: {error}")

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self.image), str(self.mounted))

    def unmount(self) -> None:
        _run("umount", str(self.mounted))

    def cut(self) -> None:
        """From now on nothing reaches the image; what was not synced is gone."""
        fd = os.open(self.mounted, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _EXT4_IOC_SHUTDOWN, struct.pack("<I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def power_on(self) -> None:
        """After `cut`: as the machine finds it when it starts again."""
        self.unmount()
        self.mount()


class SmallDisk:
    """A tmpfs with little room."""

    def __init__(self, directory: Path, size: str, options: str = "") -> None:
        _needs_root()
        self.mounted = directory / "small"
        self.mounted.mkdir()
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(self.mounted))
        except OSError as error:
            pytest.skip(f"no tmpfs here: {error}")

    def unmount(self) -> None:
        _run("umount", str(self.mounted))
