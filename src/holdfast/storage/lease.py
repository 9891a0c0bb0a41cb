"""One process at a time: a lock that the kernel lets go of however its holder dies."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.errors import StoreBusyError, StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

NAME = "lease"


class Lease:
    """Held from construction to `release`. Raises `StoreBusyError` while somebody else holds it."""

    def __init__(self, path: Path, *, note: str = "") -> None:
        """``note`` (for example when it began) goes into the message that others get."""
        if fcntl is None:
            raise StoreError("Stores need a system with file locks (flock).")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _describe(os.pread(self._fd, 200, 0))
            os.close(self._fd)
            if not isinstance(error, BlockingIOError):
                raise StoreError(f"The store cannot be locked: {error.strerror}.") from error
            raise StoreBusyError(
                f"The store {path.parent} is in use by {holder}.",
                "Stop that process first, or use another store (--store DIR).",
            ) from None
        text = f"{os.getpid()} {note}\n".encode()
        try:
            os.pwrite(self._fd, text.ljust(64), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, only its message says less

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._fd)


def holder(path: Path) -> str | None:
    """Who holds a lease now, in words; None when nobody does. Raises `OSError`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe(os.pread(fd, 200, 0))
    finally:
        os.close(fd)
    return None


def _describe(content: bytes) -> str:
    words = content.decode("utf-8", "replace").split(maxsplit=1)
    if not words or not words[0].isdigit():
        return "another process"
    since = f", {words[1].strip()}" if len(words) > 1 and words[1].strip() else ""
    return f"process {words[0]}{since}"
