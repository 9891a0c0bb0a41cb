"""How far the journal is known to be durable: a witness beside it, rewritten after each sync.

It is not synced itself: after a power cut it may be old, but it never claims too much. With it, a
journal that ends earlier than it should is damage and not a write that was cut off.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct

from holdfast.crypto import blake2b

NAME = "synced"
_SLOTS = (0, 512)
_SIZE = 1024
_SLOT = Struct("<8sQ")
_MAGIC = b"HFSYNC1\n"
_CHECK_BYTES = 8


class Mark:
    """The witness file; two slots written in turn, so that one is always whole."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._turn = 0
        self.value = max(self._read(position) for position in _SLOTS)

    @staticmethod
    def create(path: Path) -> None:
        """A mark of 0. The caller syncs it."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, bytes(_SIZE))
        finally:
            os.close(fd)

    def _read(self, position: int) -> int:
        data = os.pread(self._fd, _SLOT.size + _CHECK_BYTES, position)
        content, check = data[: _SLOT.size], data[_SLOT.size :]
        if len(check) < _CHECK_BYTES or blake2b(content)[:_CHECK_BYTES] != check:
            return 0
        magic, value = _SLOT.unpack(content)
        return int(value) if magic == _MAGIC else 0

    def write(self, value: int) -> None:
        """Say that everything up to this sequence number is durable."""
        if value <= self.value:
            return
        content = _SLOT.pack(_MAGIC, value)
        try:
            os.pwrite(self._fd, content + blake2b(content)[:_CHECK_BYTES], _SLOTS[self._turn])
        except OSError:
            return  # a witness less; what it would have said is true all the same
        self._turn ^= 1
        self.value = value

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
