"""Disk space: what files really take, and giving ranges of them back."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from holdfast.storage.disk import c_function

_KEEP_SIZE = 1
_PUNCH_HOLE = 2
_BLOCK = 512
"""The unit of st_blocks, whatever the filesystem (stat(2))."""


def allocated(path: Path | str) -> int:
    """Bytes of disk that a file takes; 0 when it is not there."""
    try:
        return os.stat(path).st_blocks * _BLOCK
    except FileNotFoundError:
        return 0


def punch(fd: int, offset: int, size: int) -> int:
    """Free the whole filesystem blocks inside a byte range; returns the bytes freed.

    0 where the system or the filesystem cannot.
    """
    before = os.fstat(fd)
    unit = os.fstatvfs(fd).f_bsize
    end = offset + size
    first = -(-offset // unit) * unit
    # What lies beyond the end of the file belongs to nobody else, so the last block goes whole.
    last = -(-end // unit) * unit if end >= before.st_size else end // unit * unit
    if first >= last:
        return 0
    call = c_function("fallocate")
    if call is None:
        return 0
    arguments = (ctypes.c_int(fd), _PUNCH_HOLE | _KEEP_SIZE)
    if call(*arguments, ctypes.c_int64(first), ctypes.c_int64(last - first)) != 0:
        return 0
    return max(0, before.st_blocks - os.fstat(fd).st_blocks) * _BLOCK
