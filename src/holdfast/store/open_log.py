"""Everything that belongs to one opened log: the log, its peers, its committer, its listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from holdfast.errors import ClosedError, ConflictError, DiskFullError
from holdfast.hypercore.conflict import frozen_error
from holdfast.hypercore.log import Log
from holdfast.hypercore.replicator import Replicator
from holdfast.storage import Storage
from holdfast.store.commits import Committer
from holdfast.store.guard import WriterGuard


class OpenLog:
    """Shared by all sessions on one log."""

    def __init__(
        self, log: Log, storage: Storage, *, durable: bool, wake: Callable[[OpenLog], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.log = log
        self.durable = durable
        self.sessions = 0
        self.closed = False
        self.append_listeners: list[Callable[[], None]] = []
        self.truncate_listeners: list[Callable[[int], None]] = []
        self._storage = storage
        self._wake = wake
        self._seen = (log.local.fork, log.local.length)
        self._changed: asyncio.Future[None] | None = None
        self.replicator = Replicator(log, clock=loop.time, defer=loop.call_soon)
        self.guard = WriterGuard(self.replicator, storage)
        self.committer = Committer(log, storage, self.guard.published)
        self._replicate_head = log.on_change
        log.on_change = self._head_changed
        self.replicator.on_conflict = self._freeze
        evidence = storage.get_setting(self._conflict_name)
        if evidence is not None:
            log.frozen = frozen_error(log.key)

    def wake(self) -> None:
        """Somebody wants data: make sure every connection has a channel for this log."""
        self.replicator.resume()  # whoever asks again after a full disk has made room
        self._wake(self)

    @property
    def _conflict_name(self) -> str:
        return f"conflict/{self.log.key.hex()}"

    def _freeze(self, error: ConflictError, evidence: bytes) -> None:
        self._storage.set_setting(self._conflict_name, evidence)

    def _head_changed(self) -> None:
        self._replicate_head()
        self.notify()

    def notify(self) -> None:
        """Tell listeners and waiters that the head moved."""
        state = self.log.local
        fork, length = self._seen
        self._seen = (state.fork, state.length)
        if state.fork != fork:
            self.truncated(min(state.length, length), length)
        if state.length != length or state.fork != fork:
            for callback in list(self.append_listeners):
                callback()
        self.poke()

    def truncated(self, length: int, before: int) -> None:
        """Tell listeners that blocks from ``length`` on are no longer what they were."""
        for callback in list(self.truncate_listeners):
            callback(length)

    def poke(self) -> None:
        """Wake `next_change`."""
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)

    async def next_change(self) -> None:
        """Wait until the head moves or a peer comes."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    async def close(self) -> None:
        """Make everything durable, fail whoever waits."""
        if self.closed:
            return
        self.closed = True
        with suppress(DiskFullError):  # what nobody could keep is fetched again
            self.replicator.flush()
        await self.committer.close()
        self.replicator.fail(ClosedError("The store is closed."))
        self.poke()
        self.log.backend.close()
