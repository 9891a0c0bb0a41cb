"""The heart of a directory store: one journal for all logs, who has changed, and what is durable.

Everything here runs in the owner's thread; worker threads only run a `SyncPlan` or a `Capture`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from concurrent.futures import Executor

from holdfast.crypto import discovery_key
from holdfast.errors import ClosedError, DamagedError, HoldfastError, StoreError
from holdfast.hypercore.backend import Change
from holdfast.storage.checkpoint import Checkpoints
from holdfast.storage.core_backend import CoreBackend
from holdfast.storage.core_files import DATA, LEAVES, CoreFiles
from holdfast.storage.disk import SyncFailed, explain
from holdfast.storage.entries import encode_core
from holdfast.storage.index import CoreRow, Index
from holdfast.storage.journal import Journal
from holdfast.storage.mark import Mark
from holdfast.storage.slots import read_slot
from holdfast.storage.syncing import SyncPlan
from holdfast.storage.truncation import write_truncating


class Engine:
    """Shared by all logs of one open directory."""

    def __init__(
        self, files: CoreFiles, index: Index, journal: Journal, mark: Mark, executor: Executor
    ) -> None:
        self.files = files
        self.index = index
        self.journal = journal
        self.mark = mark
        self.checkpoints = Checkpoints(self, executor)
        self.rows: dict[bytes, CoreRow] = {}
        """Logs of the index whose backend nobody asked for yet, by discovery key."""
        self.by_key: dict[bytes, CoreBackend] = {}
        """Backends by discovery key."""
        self.by_id: dict[int, CoreBackend] = {}
        self.row_ids: dict[int, bytes] = {}
        """Discovery keys of the logs in `rows`."""
        self.next_core = index.meta.next_core
        self.entries_lost = False
        """Whether the index has lost an entry, so that "not there" cannot be believed."""
        self.changed_cores: dict[int, CoreBackend] = {}
        self.changed_settings: dict[str, bytes | None] = {}
        self.pending_records = 0
        self._unsynced_data: set[CoreBackend] = set()
        self._in_flight: list[SyncPlan] = []
        self._stopped: HoldfastError | None = None

    def load_index(self) -> dict[str, bytes]:
        """Take in the logs of the index; returns its settings."""
        cores, settings = self.index.load()
        for row in cores:
            self.rows[row.discovery_key] = row
            self.row_ids[row.id] = row.discovery_key
        self.entries_lost = not self.index.whole
        return settings

    # -- trouble --------------------------------------------------------------------------------

    def check_usable(self) -> None:
        """Raise why the store cannot be used any more, if it cannot."""
        if self._stopped is not None:
            raise self._stopped

    @property
    def is_usable(self) -> bool:
        """Whether `check_usable` passes."""
        return self._stopped is None

    def stop(self) -> None:
        """Every later call raises `ClosedError`."""
        self._stopped = ClosedError("The store is closed.")

    def failed(self, error: OSError) -> StoreError:
        """The store's error for one of the system's; one of the disk itself stops the store."""
        fatal = isinstance(error, SyncFailed) or error.errno == errno.EIO
        return self.broken_by(error) if fatal else explain(error)

    def broken_by(self, error: OSError | StoreError) -> StoreError:
        """After this error nothing in memory can be relied on: only opening again verifies."""
        if self._stopped is not None and isinstance(error, StoreError):
            return error
        reason = explain(error) if isinstance(error, OSError) else error
        broken = type(reason)(
            f"{reason.message} The store stopped to protect what it holds.",
            "Check the disk, then open the store again: it verifies itself.",
        )
        self._stopped = self._stopped or broken
        return broken

    # -- logs -----------------------------------------------------------------------------------

    def core(self, key: bytes, name: bytes) -> CoreBackend:
        """The backend of a log by key and discovery key, made when there is none.

        Raises `DamagedError`.
        """
        found = self.by_key.get(name)
        if found is not None:
            return found
        row = self.rows.pop(name, None)
        backend = CoreBackend(self, key, name)
        if row is not None:
            backend.load(row)
            del self.row_ids[row.id]
            self.by_id[row.id] = backend
        else:
            self._check_is_new(backend)
        self.by_key[name] = backend
        return backend

    def recovered_core(self, key: bytes) -> CoreBackend:
        """The backend of a log whose entry only the journal has."""
        name = discovery_key(key)
        found = self.by_key[name] = self.by_key.get(name) or CoreBackend(self, key, name)
        return found

    def core_by_id(self, number: int) -> CoreBackend | None:
        """The backend of a log by its number."""
        found = self.by_id.get(number)
        if found is None and number in self.row_ids:
            row = self.rows[self.row_ids[number]]
            found = self.core(row.key, row.discovery_key)
        return found

    def is_known(self, name: bytes) -> bool:
        """Whether the log with this discovery key was ever written to."""
        found = self.by_key.get(name)
        return name in self.rows or (found is not None and found.id > 0)

    def all_rows(self) -> Iterator[CoreRow]:
        """Every log that was ever written to."""
        yield from self.rows.values()
        for backend in self.by_id.values():
            yield backend.row()

    def _check_is_new(self, backend: CoreBackend) -> None:
        """A log without an entry must not have a past: it would look empty."""
        past = False
        try:
            with open(self.files.path(backend.discovery_key, LEAVES), "rb") as file:
                past = read_slot(file.fileno()) is not None
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self.failed(error) from error
        if past or self.entries_lost:
            raise DamagedError(
                f"The store's index has lost its entry of log {backend.key.hex()[:16]}….",
                "Restore the store from a copy, or fetch the log into a new store.",
            )

    def register(self, backend: CoreBackend) -> None:
        """Give a log its number, with its first write."""
        try:
            self.files.remove(backend.discovery_key)  # left of a life that was never synced
        except OSError as error:
            raise self.failed(error) from error
        self.append(encode_core(self.next_core, backend.key, backend.own))
        self.adopt(backend, self.next_core)

    def adopt(self, backend: CoreBackend, number: int) -> None:
        """Note the number of a log."""
        backend.id = number
        self.by_id[number] = backend
        self.changed_cores[number] = backend
        self.next_core = max(self.next_core, number + 1)

    def fd(self, core: CoreBackend, kind: int, *, create: bool = False) -> int:
        """Descriptor of one of a log's files (see `CoreFiles.fd`)."""
        if self._stopped is not None:
            raise self._stopped
        try:
            return self.files.fd(core.id, core.discovery_key, kind, create=create)
        except OSError as error:
            raise self.failed(error) from error

    # -- writing --------------------------------------------------------------------------------

    def append(self, body: bytes) -> int:
        """Write a journal record; returns its ticket. `DiskFullError`: nothing happened."""
        try:
            return self.journal.append(body)
        except OSError as error:
            raise self.failed(error) from error

    def write_truncating(self, core: CoreBackend, change: Change) -> int:
        """`CoreBackend.write` of a change that truncates."""
        return write_truncating(self, core, change)

    def changed(self, core: CoreBackend, records: int, in_place: bool) -> None:
        """Note that a log changed by so many tree records."""
        self.changed_cores[core.id] = core
        self.pending_records += records
        if in_place:
            self._unsynced_data.add(core)
        self.checkpoints.tend()

    def note_unsynced(self, core: CoreBackend) -> None:
        """The next sync must cover the block bytes of a log, and the way to them."""
        self._unsynced_data.add(core)
        self.files.note_new(core.discovery_key)

    def is_dirty(self, core: CoreBackend) -> bool:
        """Whether memory knows more of a log than the index."""
        return core.id in self.changed_cores or self.checkpoints.busy

    # -- syncing --------------------------------------------------------------------------------

    def begin_sync(self) -> SyncPlan:
        """What to sync so that everything written so far is durable.

        A sync that is still running elsewhere may yet fail, so its files are part of this one too.
        """
        paths: set[str] = {self.files.path(c.discovery_key, DATA) for c in self._unsynced_data}
        paths |= self.files.new_directories
        descriptors = {file.fd for file in self.journal.unsynced}
        for plan in self._in_flight:
            paths |= plan.paths
            descriptors |= plan.descriptors
        self._unsynced_data.clear()
        self.files.new_directories.clear()
        self.journal.unsynced.clear()
        plan = SyncPlan(self.journal.seq, self.files.root, frozenset(descriptors), frozenset(paths))
        self._in_flight.append(plan)
        return plan

    def finish_sync(self, plan: SyncPlan, error: OSError | None = None) -> None:
        """Note the outcome; raises the store's error for ``error``."""
        if error is not None:
            plan.abandoned = True
            raise self.failed(error) from error
        self._in_flight = [
            p for p in self._in_flight if p is not plan and not (p.abandoned and p.seq <= plan.seq)
        ]
        if plan.seq > self.journal.synced:
            self.journal.synced = plan.seq
            self.mark.write(plan.seq)

    def sync_now(self) -> None:
        """Make everything written so far durable, here and now."""
        self.check_usable()
        if self.journal.synced == self.journal.seq:
            return
        plan = self.begin_sync()
        trouble: OSError | None = None
        try:
            plan.run()
        except OSError as error:
            trouble = error
        self.finish_sync(plan, trouble)
