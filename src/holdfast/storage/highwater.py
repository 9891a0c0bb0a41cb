"""The highest head of each own log that was shown to anybody, kept outside the store.

When a backup of the store is restored this file stays, so the store can tell that it is behind what
others have seen. One file per store; losing it loses the protection, never data.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_state_path

from holdfast.storage.disk import write_all
from holdfast.storage.twice import pack_twice, read_twice

_MAGIC = b"HFHIGH1\n"
_ENTRY = struct.Struct("<32sQQ")
INTERVAL = 1.0
"""Seconds between two writes at most while marks rise."""


def state_directory() -> Path:
    """Where such files lie: ``HOLDFAST_STATE``, or the platform's folder for state."""
    named = os.environ.get("HOLDFAST_STATE")
    return Path(named) if named else user_state_path("holdfast") / "stores"


class HighWater:
    """Marks of one store. Trouble with the file is kept in ``trouble`` and never stops a write."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._marks: dict[bytes, tuple[int, int]] = {}
        self._dirty = False
        self._written = clock()
        self.trouble: OSError | None = None
        try:
            content = read_twice(path, _MAGIC)
        except FileNotFoundError:
            content = b""
        except OSError as error:
            self.trouble = error
            content = b""
        for key, fork, length in _ENTRY.iter_unpack(_whole(content or b"")):
            self._marks[key] = (fork, length)

    def get(self, key: bytes) -> tuple[int, int] | None:
        """The highest (fork, length) shown."""
        return self._marks.get(key)

    def rise(self, key: bytes, fork: int, length: int) -> float | None:
        """Note a head that is about to be shown; returns seconds until `flush` is due, or None."""
        if self._marks.get(key, (-1, -1)) >= (fork, length):
            return None
        self._marks[key] = (fork, length)
        self._dirty = True
        return max(0.0, self._written + INTERVAL - self._clock())

    def flush(self) -> None:
        """Write what has risen."""
        if not self._dirty:
            return
        self._dirty = False
        self._written = self._clock()
        content = b"".join(_ENTRY.pack(key, *mark) for key, mark in self._marks.items())
        draft = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                write_all(fd, pack_twice(_MAGIC, content), 0)
            finally:
                os.close(fd)
            os.replace(draft, self._path)
        except OSError as error:
            self.trouble = error


def _whole(content: bytes) -> bytes:
    return content[: len(content) // _ENTRY.size * _ENTRY.size]
