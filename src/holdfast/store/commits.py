"""Group commit: many appends of one log share one signature and one sync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from holdfast.hypercore.log import Log
from holdfast.hypercore.staged import Block
from holdfast.storage import Storage

SYNC_DELAY = 0.05
"""Seconds after which appends that nobody waits for are made durable (and shown to peers)."""


class Committer:
    """Appends to one log. `append` in durable mode returns when a power cut cannot take it back."""

    def __init__(self, log: Log, storage: Storage, settled: Callable[[], None]) -> None:
        self._log = log
        self._storage = storage
        self._settled = settled
        self._group: asyncio.Future[None] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._last_ticket = 0
        self._timer: asyncio.TimerHandle | None = None
        self._background: asyncio.Task[None] | None = None
        log.on_unstage = self._unstaged

    async def append(self, blocks: Sequence[Block], *, durable: bool) -> int:
        """Append; returns the new length, which others may have grown beyond already.

        Raises `DiskFullError`, `NotWritableError`, `ConflictError`; nothing is appended then.
        """
        length = self._log.stage(blocks)
        if not durable:
            self._commit(durable=False)
            self._sync_later()
            return length
        if self._group is None:
            self._group = asyncio.get_running_loop().create_future()
        group = self._group
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        await asyncio.shield(group)
        return length

    async def sync(self) -> None:
        """Make everything appended so far durable."""
        if self._runner is not None:
            await asyncio.wait([self._runner])
        await self._storage.sync(self._last_ticket or None)
        self._settle()

    def _commit(self, *, durable: bool) -> None:
        self._last_ticket = self._log.commit(durable=durable)

    async def _run(self) -> None:
        await asyncio.sleep(0)  # let every append that is ready now join
        while self._group is not None:
            group = self._group
            try:
                if self._log.staged:
                    self._commit(durable=True)
                self._group = None
                await self._storage.sync(self._last_ticket)
                self._settle()
            except BaseException as error:
                self._group = None
                if not group.done():
                    group.set_exception(error)
                    group.exception()  # waiters re-raise it; nobody may be left
                if not isinstance(error, Exception):
                    self._runner = None
                    raise
                continue
            if not group.done():
                group.set_result(None)
        self._runner = None

    def _unstaged(self, error: Exception) -> None:
        """What was staged is gone: tell those who wait for it."""
        group, self._group = self._group, None
        if group is not None and not group.done():
            group.set_exception(error)
            group.exception()

    def _settle(self) -> None:
        if self._log.settle(self._storage.synced):
            self._settled()

    def _sync_later(self) -> None:
        if self._timer is None and self._background is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SYNC_DELAY, self._start_sync)

    def _start_sync(self) -> None:
        self._timer = None
        self._background = asyncio.create_task(self._sync_in_background())

    async def _sync_in_background(self) -> None:
        try:
            before = self._last_ticket
            await self._storage.sync(before)
            self._settle()
        except Exception:  # the next durable append or close() meets and reports the same trouble
            return
        finally:
            self._background = None
        if self._last_ticket != before:
            self._sync_later()

    async def close(self) -> None:
        """Make everything durable and stop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._background is not None:
            await asyncio.wait([self._background])
        await self.sync()
