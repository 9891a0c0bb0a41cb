"""Checkpoints: what the journal holds goes to its place, then that part of the journal is free.

1. *Capture* (in the owner's thread): the journal goes on in its other file under a new epoch;
   what the old epoch changed is set aside.
2. *Run* (in a worker thread, writes go on meanwhile): sync the journal, so that nothing in place is
   ever ahead of it; write and sync the logs' files; then the index in one transaction.
3. *Finish* (owner's thread): the old epoch's file is free.

When a run fails (the disk is full), what was set aside is put back and tried again later.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError
from holdfast.hypercore.backend import Head
from holdfast.storage.core_backend import CoreBackend
from holdfast.storage.core_files import (
    DATA,
    LEAVES,
    LEAVES_START,
    NODES,
    SUFFIXES,
    create_file,
    write_records,
)
from holdfast.storage.disk import sync_paths
from holdfast.storage.index import Index, IndexUpdate, Meta
from holdfast.storage.records import LEAF_BYTES, NODE_BYTES
from holdfast.storage.slots import write_slot
from holdfast.storage.syncing import SyncPlan

if TYPE_CHECKING:
    from holdfast.storage.engine import Engine

MAX_JOURNAL = 32 * 1024 * 1024
"""Bytes of journal after which a checkpoint begins."""
MAX_PENDING = 64 * 1024
"""Records held in memory after which a checkpoint begins (some 15 MB)."""
_TOO_FAR = 4
"""A writer this many times over a limit waits for the running checkpoint."""
_PAUSE = 256
"""Writes between two attempts while checkpoints fail (the disk is full)."""


@dataclass(slots=True)
class CorePart:
    """What a checkpoint writes to one log's files."""

    core: CoreBackend
    stem: str
    key: bytes
    head: Head | None
    leaves: dict[int, bytes]
    nodes: dict[int, bytes]
    has_data: bool
    pages: list[int]


@dataclass(slots=True)
class Capture:
    """One checkpoint's work, set aside."""

    plan: SyncPlan
    update: IndexUpdate
    root: str
    records: int
    parts: list[CorePart] = field(default_factory=list)

    def run(self, index: Index) -> None:
        """Do it; in any thread. Raises OSError or a `StoreError`."""
        self.plan.run()
        paths: list[str] = []
        for part in self.parts:
            paths += _write_part(part, self.update.meta.epoch)
        sync_paths(paths, self.root)
        index.update(self.update)


def _write_part(part: CorePart, epoch: int) -> list[str]:
    """Write one log's records in place; returns what has to be synced."""
    leaves = part.stem + SUFFIXES[LEAVES]
    paths = [leaves]
    if not part.core.has_files:
        directory = os.path.dirname(part.stem)
        paths += [directory, os.path.dirname(directory)]
    fd = create_file(leaves)
    try:
        write_slot(fd, epoch, part.key, part.head)
        write_records(fd, LEAVES_START, LEAF_BYTES, part.leaves)
    finally:
        os.close(fd)
    if part.nodes:
        nodes = part.stem + SUFFIXES[NODES]
        paths.append(nodes)
        fd = create_file(nodes)
        try:
            write_records(fd, 0, NODE_BYTES, {index >> 1: r for index, r in part.nodes.items()})
        finally:
            os.close(fd)
    if part.has_data:
        paths.append(part.stem + SUFFIXES[DATA])
    return paths


class Checkpoints:
    """Decides when, and keeps at most one running."""

    def __init__(self, engine: Engine, executor: Executor) -> None:
        self._engine = engine
        self._executor = executor
        self._running: tuple[Capture, Future[None]] | None = None
        self._pause = 0
        self.trouble: HoldfastError | None = None
        """Why the last one failed, or None."""

    @property
    def busy(self) -> bool:
        """Whether one is running."""
        return self._running is not None

    def tend(self) -> None:
        """Begin one when it is time, finish the one that is done."""
        if self._running is not None:
            if self._running[1].done() or self._over(_TOO_FAR):
                self.join()
            return
        if self._over(1):
            if self._pause:
                self._pause -= 1
            else:
                self.begin()

    def _over(self, times: int) -> bool:
        engine = self._engine
        return (
            engine.journal.tail > MAX_JOURNAL * times
            or engine.pending_records > MAX_PENDING * times
        )

    def begin(self) -> None:
        """Begin a checkpoint; without a free journal file it is run here and now."""
        if not self._engine.journal.live:
            return
        if not self._engine.journal.can_switch:
            self.run_all()
            return
        capture = capture_changes(self._engine)
        future: Future[None] = Future()
        try:
            self._engine.journal.switch()
            future = self._executor.submit(capture.run, self._engine.index)
        except Exception as error:
            future.set_exception(error)
        self._running = (capture, future)

    def run_all(self) -> None:
        """Bring everything to its place, here and now; no journal is live when it works."""
        self.join()
        if not self._engine.journal.live:
            return
        capture = capture_changes(self._engine)
        future: Future[None] = Future()
        try:
            capture.run(self._engine.index)
            future.set_result(None)
        except Exception as error:
            future.set_exception(error)
        self._running = (capture, future)
        self.join()

    def join(self) -> None:
        """Wait for the running one and finish it; its failure is kept in ``trouble``."""
        if self._running is None:
            return
        capture, future = self._running
        error = future.exception()
        self._running = None
        if error is None:
            self.trouble = None
            _finish(self._engine, capture)
            return
        self._pause = _PAUSE
        _put_back(self._engine, capture)
        if isinstance(error, OSError):
            error = self._engine.failed(error)
        if not isinstance(error, HoldfastError):
            raise error
        self.trouble = error


def capture_changes(engine: Engine) -> Capture:
    """Set aside everything changed since the last checkpoint."""
    meta = Meta(engine.journal.epoch, engine.journal.seq, engine.next_core)
    update = IndexUpdate(meta, settings=engine.changed_settings)
    engine.changed_settings = {}
    root = engine.files.root
    capture = Capture(engine.begin_sync(), update, root, engine.pending_records)
    for core in engine.changed_cores.values():
        has_files = core.has_files or core.head is not None or bool(core.leaves or core.nodes)
        pages = core.take_changed_pages()
        if has_files:
            capture.parts.append(
                CorePart(
                    core,
                    engine.files.stem(core.discovery_key),
                    core.key,
                    core.head,
                    core.leaves,
                    core.nodes,
                    core.data_unsynced,
                    list(pages),
                )
            )
            core.frozen_leaves, core.leaves = core.leaves, {}
            core.frozen_nodes, core.nodes = core.nodes, {}
            core.data_unsynced = False
        update.cores.append(core.row()._replace(files=has_files))
        for number, content in pages.items():
            update.pages[core.id, number] = content
    engine.changed_cores = {}
    engine.pending_records = 0
    return capture


def _finish(engine: Engine, capture: Capture) -> None:
    engine.finish_sync(capture.plan)
    for part in capture.parts:
        part.core.frozen_leaves = {}
        part.core.frozen_nodes = {}
        part.core.has_files = True
        engine.files.appeared(part.core.id)
    engine.journal.retire(capture.update.meta.epoch)


def _put_back(engine: Engine, capture: Capture) -> None:
    capture.plan.abandoned = True
    for part in capture.parts:
        core = part.core
        core.leaves = {**core.frozen_leaves, **core.leaves}
        core.nodes = {**core.frozen_nodes, **core.nodes}
        core.frozen_leaves = {}
        core.frozen_nodes = {}
        core.data_unsynced = core.data_unsynced or part.has_data
    for row in capture.update.cores:
        engine.changed_cores.setdefault(row.id, engine.by_id[row.id])
    for core_id, number in capture.update.pages:
        engine.by_id[core_id].changed_pages.add(number)
    engine.changed_settings = {**capture.update.settings, **engine.changed_settings}
    engine.pending_records += capture.records
