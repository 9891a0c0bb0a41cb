"""Making things durable: what one sync covers, and one sync for everybody who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from holdfast.storage.disk import data_sync, sync_paths


@dataclass(eq=False)
class SyncPlan:
    """Everything that has to be synced so that all records up to ``seq`` are durable."""

    seq: int
    root: str
    descriptors: frozenset[int]
    """Of the journal; they stay open for the life of the store."""
    paths: frozenset[str]
    """Block files and directories."""
    abandoned: bool = False
    """Whether nobody will report its outcome: the next sync covers its files."""

    def run(self) -> None:
        """Sync; in any thread. Raises OSError, of which `SyncFailed` is fatal."""
        sync_paths(self.paths, self.root)
        for fd in self.descriptors:
            data_sync(fd)


class GroupSync:
    """Lets many tasks wait for tickets while one sync at a time runs in a thread."""

    def __init__(
        self,
        executor: Executor,
        begin: Callable[[], SyncPlan],
        finish: Callable[[SyncPlan, OSError | None], None],
        synced: Callable[[], int],
    ) -> None:
        self._executor = executor
        self._begin = begin
        self._finish = finish
        self._synced = synced
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def wait(self, ticket: int) -> None:
        """Return once ``ticket`` is durable; raises what the sync raised."""
        if ticket <= self._synced():
            return
        future = asyncio.get_running_loop().create_future()
        self._waiters.append((ticket, future))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        await future

    async def settle(self) -> None:
        """Return once no sync is running."""
        if self._runner is not None:
            await asyncio.wait([self._runner])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiters:
                await asyncio.sleep(0)  # whoever is about to write joins this sync
                plan = self._begin()
                error: OSError | None = None
                try:
                    await loop.run_in_executor(self._executor, plan.run)
                except OSError as trouble:
                    error = trouble
                self._finish(plan, error)
                self._wake()
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._runner = None

    def _wake(self) -> None:
        synced = self._synced()
        waiting = []
        for ticket, future in self._waiters:
            if ticket > synced:
                waiting.append((ticket, future))
            elif not future.done():
                future.set_result(None)
        self._waiters = waiting

    def _fail(self, error: BaseException) -> None:
        waiters, self._waiters = self._waiters, []
        for _, future in waiters:
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            elif not future.done():
                future.set_exception(error)
                future.exception()  # whoever still waits re-raises it; nobody may be left
