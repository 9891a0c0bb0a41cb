"""A store in a directory (docs/format.md describes the bytes, docs/decisions/0001 the why)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from holdfast.crypto import discovery_key, random_bytes
from holdfast.errors import DamagedError, NotFoundError
from holdfast.hypercore.backend import Head
from holdfast.storage import identity, index, layout, lease, mark, secrets
from holdfast.storage.core_backend import CoreBackend
from holdfast.storage.core_files import CoreFiles
from holdfast.storage.disk import explain
from holdfast.storage.engine import Engine
from holdfast.storage.entries import encode_core, encode_setting
from holdfast.storage.highwater import HighWater, state_directory
from holdfast.storage.index import Index
from holdfast.storage.interface import CoreInfo
from holdfast.storage.journal import Journal
from holdfast.storage.mark import Mark
from holdfast.storage.recovery import recover
from holdfast.storage.syncing import GroupSync

Durability = Literal["power", "process"]
_SECRET = "\0secret\0"
"""Settings whose name begins so are sealed values."""


def open_storage(
    directory: Path | str,
    *,
    passphrase: str | None = None,
    durability: Durability = "power",
    state: Path | None = None,
    primary_key: bytes | None = None,
    random: Callable[[int], bytes] = random_bytes,
    clock: Callable[[], float] = time.monotonic,
) -> DirectoryStorage:
    """Open the store in a directory, making it when the directory is empty or not there.

    ``durability`` says what `DirectoryStorage.sync` waits for: that a power cut cannot take it
    back, or that the end of this process cannot. ``state`` is where high-water marks lie.
    ``passphrase`` seals a new store and opens a sealed one; ``primary_key`` is used when the store
    is made.

    Raises `StoreBusyError`, `StoreVersionError`, `PassphraseError`, `DamagedError`,
    `DiskFullError`.
    """
    path = Path(directory).absolute()
    with ExitStack() as undo:
        try:
            layout.prepare_directory(path)
            holder = lease.Lease(path / lease.NAME, note=f"since {time.strftime('%F %T')}")
            undo.callback(holder.release)
            store_id = layout.read_store_id(path)
            if store_id is None:
                key = random(secrets.KEY_BYTES) if primary_key is None else primary_key
                store_id = layout.make_store(path, key, passphrase, random)
            else:
                key = secrets.read_primary_key(path / secrets.NAME, passphrase)
            engine, executor = _open_engine(path, random, undo)
        except OSError as error:
            raise explain(error) from error
        settings: dict[str, bytes | None] = dict(engine.load_index())
        settings.update(recover(engine))
        marks = HighWater((state or state_directory()) / store_id.hex(), clock)
        try:
            storage = DirectoryStorage(
                path, engine, executor, holder, key, settings, marks, durability
            )
        except OSError as error:  # it looks at where the store lies
            raise explain(error) from error
        undo.pop_all()
        return storage


def _open_engine(
    path: Path, random: Callable[[int], bytes], undo: ExitStack
) -> tuple[Engine, ThreadPoolExecutor]:
    try:
        journal = Journal(path, random)
        undo.callback(journal.close)
        witness = Mark(path / mark.NAME)
        undo.callback(witness.close)
    except FileNotFoundError as error:
        raise DamagedError(
            f"A file of the store is missing: {Path(error.filename).name}.",
            "Restore the store from a copy.",
        ) from error
    opened = Index(path / index.NAME)
    undo.callback(opened.close)
    files = CoreFiles(path / layout.CORES)
    undo.callback(files.close)
    executor = ThreadPoolExecutor(2, thread_name_prefix="holdfast-disk")
    undo.callback(executor.shutdown)
    return Engine(files, opened, journal, witness, executor), executor


class DirectoryStorage:
    """`Storage` in a directory; made by `open_storage`."""

    def __init__(
        self,
        directory: Path,
        engine: Engine,
        executor: ThreadPoolExecutor,
        holder: lease.Lease,
        primary_key: bytes,
        settings: dict[str, bytes | None],
        marks: HighWater,
        durability: Durability,
    ) -> None:
        self.directory: Path | None = directory
        self._path = directory
        self._engine = engine
        self._executor = executor
        self._lease = holder
        self._primary_key = primary_key
        self._values_key = secrets.values_key(primary_key)
        self._settings = settings
        self._marks = marks
        self._marks_timer: asyncio.TimerHandle | None = None
        self._power = durability == "power"
        self._closed = False
        self._group = GroupSync(
            executor, engine.begin_sync, engine.finish_sync, lambda: engine.journal.synced
        )
        self.moved = not identity.is_at_home(directory, layout.home_of(directory))

    @property
    def primary_key(self) -> bytes:
        self._engine.check_usable()
        return self._primary_key

    def seal(self, passphrase: str | None) -> None:
        """From now on only this passphrase opens the store; None: no passphrase is needed."""
        self._engine.check_usable()
        try:
            secrets.write_primary_key(self._path / secrets.NAME, self._primary_key, passphrase)
        except OSError as error:
            raise explain(error) from error

    def confirm_moved(self) -> None:
        self._engine.check_usable()
        try:
            identity.write_identity(self._path, layout.home_of(self._path))
        except OSError as error:
            raise explain(error) from error
        self.moved = False

    # -- logs -----------------------------------------------------------------------------------

    def core(self, key: bytes, *, create: bool = True, own: bool = False) -> CoreBackend:
        engine = self._engine
        engine.check_usable()
        name = discovery_key(key)
        backend = engine.by_key.get(name)
        if backend is None:
            if not create and not engine.is_known(name):
                raise NotFoundError(f"No log {key.hex()[:16]}… in this store.")
            backend = engine.core(key, name)
        if own and not backend.own:
            backend.own = True
            if backend.id:
                engine.append(encode_core(backend.id, key, own))
                engine.changed(backend, 0, False)
        return backend

    def key_of(self, discovery_key: bytes) -> bytes | None:
        engine = self._engine
        engine.check_usable()
        row = engine.rows.get(discovery_key)
        if row is not None:
            return row.key
        backend = engine.by_key.get(discovery_key)
        return backend.key if backend is not None and backend.id else None

    def cores(self) -> list[CoreInfo]:
        engine = self._engine
        engine.check_usable()
        found = []
        for row in engine.all_rows():
            fork, length, size, _ = row.head or Head(0, 0, 0, b"")
            space = engine.files.allocated(row.discovery_key)
            found.append(CoreInfo(row.key, row.discovery_key, fork, length, size, row.own, space))
        return found

    def allocated(self, key: bytes) -> int:
        self._engine.check_usable()
        return self._engine.files.allocated(discovery_key(key))

    # -- small values ---------------------------------------------------------------------------

    def get_setting(self, name: str) -> bytes | None:
        engine = self._engine
        engine.check_usable()
        value = self._settings.get(name)
        if value is None and engine.entries_lost and name not in self._settings:
            raise DamagedError(
                f"The setting {name!r} of this store is damaged.",
                "Set it again, or restore a copy.",
            )
        return value

    def set_setting(self, name: str, value: bytes | None) -> None:
        engine = self._engine
        engine.check_usable()
        engine.append(encode_setting(name, value))
        engine.changed_settings[name] = value
        self._settings[name] = None if value is None else bytes(value)
        engine.sync_now()
        engine.checkpoints.tend()

    def settings(self, prefix: str = "") -> dict[str, bytes]:
        self._engine.check_usable()
        return {
            name: value
            for name, value in self._settings.items()
            if value is not None and name.startswith(prefix) and not name.startswith(_SECRET)
        }

    def get_secret(self, name: str) -> bytes | None:
        sealed = self.get_setting(_SECRET + name)
        return None if sealed is None else secrets.open_value(self._values_key, sealed)

    def set_secret(self, name: str, value: bytes | None) -> None:
        sealed = None if value is None else secrets.seal_value(self._values_key, value)
        self.set_setting(_SECRET + name, sealed)

    # -- high-water marks -----------------------------------------------------------------------

    def highwater(self, key: bytes) -> tuple[int, int] | None:
        self._engine.check_usable()
        return self._marks.get(key)

    def set_highwater(self, key: bytes, fork: int, length: int) -> None:
        self._engine.check_usable()
        wait = self._marks.rise(key, fork, length)
        if wait is None or self._marks_timer is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._marks.flush()
            return
        self._marks_timer = loop.call_later(wait, self._flush_marks)

    def _flush_marks(self) -> None:
        self._marks_timer = None
        self._marks.flush()

    # -- durability -----------------------------------------------------------------------------

    @property
    def synced(self) -> int:
        journal = self._engine.journal
        return journal.synced if self._power else journal.seq

    async def sync(self, ticket: int | None = None) -> None:
        self._engine.check_usable()
        if self._power:
            await self._group.wait(self._engine.journal.seq if ticket is None else ticket)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._marks_timer is not None:
            self._marks_timer.cancel()
        await self._group.settle()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._close_now)

    def _close_now(self) -> None:
        """Everything to its place when there is room, else it stays in the journal, durable too."""
        engine = self._engine
        try:
            self._marks.flush()
            if engine.is_usable:
                engine.checkpoints.run_all()
                if engine.journal.live:
                    engine.sync_now()
                engine.journal.shrink()
        except OSError as error:
            raise explain(error) from error
        finally:
            engine.stop()
            self._executor.shutdown()
            engine.files.close()
            engine.index.close()
            engine.mark.close()
            engine.journal.close()
            self._lease.release()
