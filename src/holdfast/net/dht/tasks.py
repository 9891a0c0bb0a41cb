"""Work that goes on beside: bounded in number, its failures logged, ended with its owner."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable

log = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: set[asyncio.Future[None]] = set()

    def add(self, work: Awaitable[None]) -> None:
        """Run something until it ends, or its owner does; dropped when there is too much."""
        if len(self._running) >= self._most:
            if inspect.iscoroutine(work):
                work.close()
            return
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a handler of the DHT failed", exc_info=failure)

    async def close(self) -> None:
        """Cancel all of it, except what calls this."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
