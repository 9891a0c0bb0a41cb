"""Which store this is, and whether it still lies where it was made.

A store that was copied or restored looks whole, yet appending to its logs can fork them for ever.
So it remembers where it lies: the filesystem, the inodes of files that are never replaced while it
lives, and the machine. A copy, a restored backup or a move to another machine changes at least one.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from holdfast.crypto import blake2b
from holdfast.storage.twice import read_twice, write_twice

NAME = "identity"
_MAGIC = b"HFHOME1\n"
_MACHINE_ID = Path("/etc/machine-id")


def fingerprint(directory: Path, names: tuple[str, ...], machine_id: Path = _MACHINE_ID) -> bytes:
    """32 bytes that say where the files ``names`` of a store lie."""
    try:
        machine = machine_id.read_bytes()
    except OSError:
        machine = b""
    inodes = [os.stat(directory / name).st_ino for name in names]
    # The filesystem's own id and not st_dev, which may be numbered anew at every start.
    place = struct.pack(f"<{len(inodes)}Q", *inodes) + str(os.statvfs(directory).f_fsid).encode()
    return blake2b(blake2b(machine) + place)


def write_identity(directory: Path, mark: bytes) -> None:
    """Remember where the store lies; durable when it returns."""
    write_twice(directory / NAME, _MAGIC, mark)


def is_at_home(directory: Path, mark: bytes) -> bool:
    """Whether the store lies where it remembers to; False too when it does not remember."""
    try:
        return read_twice(directory / NAME, _MAGIC) == mark
    except FileNotFoundError:
        return False
