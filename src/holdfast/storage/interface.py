"""What the floors above ask of a store: many logs, small settings, and one group commit for all.

`DirectoryStorage` keeps it on disk, `MemoryStorage` in memory; one contract suite tests both. All
calls come from one thread (the event loop's); only `sync` and `close` wait.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from holdfast.hypercore.backend import Backend


class CoreInfo(NamedTuple):
    """One log of the store, as listed."""

    key: bytes
    discovery_key: bytes
    fork: int
    length: int
    byte_length: int
    own: bool
    """Whether this store was told that it signs the log."""
    allocated: int
    """Bytes of disk in use by the log's files."""


class Storage(Protocol):
    """Where the bytes of many logs lie. After `close` every call raises `ClosedError`."""

    @property
    def directory(self) -> Path | None:
        """Where it lies; None in memory."""

    @property
    def primary_key(self) -> bytes:
        """The 32 random bytes from which the store's own keys are derived."""

    @property
    def moved(self) -> bool:
        """Whether this is a copy or a restored backup: what it signs could fork a log for ever."""

    def confirm_moved(self) -> None:
        """The owner says that this copy is now the only one: `moved` becomes False."""

    def core(self, key: bytes, *, create: bool = True, own: bool = False) -> Backend:
        """The backend of a log; the same object for the same key.

        ``own=True`` remembers that this store signs it. Raises `NotFoundError` when the log is not
        here and ``create`` is False, `DamagedError` when it was here and its entry is lost.
        """

    def key_of(self, discovery_key: bytes) -> bytes | None:
        """The key of a log of this store by its discovery key."""

    def cores(self) -> list[CoreInfo]:
        """Every log that was ever written to."""

    def get_setting(self, name: str) -> bytes | None:
        """A small value, or None. Raises `DamagedError` when it fails its check."""

    def set_setting(self, name: str, value: bytes | None) -> None:
        """Keep (or with None forget) a small value; durable when it returns."""

    def settings(self, prefix: str = "") -> dict[str, bytes]:
        """All values whose name starts with ``prefix``."""

    def get_secret(self, name: str) -> bytes | None:
        """A value kept with `set_secret`, or None."""

    def set_secret(self, name: str, value: bytes | None) -> None:
        """`set_setting`, sealed with a key that only an opened store has."""

    def highwater(self, key: bytes) -> tuple[int, int] | None:
        """The highest (fork, length) of a log that this machine has shown to anybody.

        Kept outside the store, so that a restored backup of the store does not take it back.
        """

    def set_highwater(self, key: bytes, fork: int, length: int) -> None:
        """Raise the mark; written within a second and at `close`. Lower values are ignored."""

    @property
    def synced(self) -> int:
        """The highest ticket that is durable (in the sense of the store's ``durability``)."""

    async def sync(self, ticket: int | None = None) -> None:
        """Return once ``ticket`` (default: every write so far) is durable.

        One sync of the disk serves everybody who waits.
        """

    def allocated(self, key: bytes) -> int:
        """Bytes of disk in use by the files of a log (0 when it is not here)."""

    async def close(self) -> None:
        """Make everything durable and let go of the directory. Calling it again does nothing."""
