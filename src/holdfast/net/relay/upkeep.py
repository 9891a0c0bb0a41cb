"""Things that are told to the network again and again, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable

from holdfast.errors import HoldfastError

PAUSE = 600.0
"""Seconds between two tellings of the same: what is stored in the DHT lasts a little longer."""
AT_ONCE = 4
"""Tellings at the same time: each is a walk of some twenty packets."""

log = logging.getLogger(__name__)

Action = Callable[[], Awaitable[object]]


class Upkeep:
    """Runs each thing soon after it was given, then every `PAUSE` seconds until dropped."""

    def __init__(self, *, pause: float = PAUSE, most: int = 1024) -> None:
        """``most``: things kept; more are refused, for all are told within one pause."""
        self._pause, self._most = pause, most
        self._loop = asyncio.get_running_loop()
        self._due: dict[Hashable, float] = {}
        self._actions: dict[Hashable, Action] = {}
        self._stirred = asyncio.Event()
        self._idle = asyncio.Event()
        self._running = 0
        self._workers = [asyncio.ensure_future(self._work()) for _ in range(AT_ONCE)]

    def keep(self, key: Hashable, action: Action) -> bool:
        """Tell this, soon and again and again; it replaces what was kept under the same name.

        False when too much is kept already.
        """
        if key not in self._actions and len(self._actions) >= self._most:
            return False
        self._actions[key] = action
        self._due[key] = self._loop.time()
        self._stirred.set()
        return True

    def drop(self, key: Hashable, last: Action | None = None) -> None:
        """Tell it no more; ``last`` is told once in its place, if it was told at all."""
        if self._actions.pop(key, None) is None:
            return
        del self._due[key]
        if last is not None:
            self.keep(key, self._once(key, last))

    def _once(self, key: Hashable, action: Action) -> Action:
        async def once() -> None:
            try:
                await action()
            finally:
                if self._actions.get(key) is once:
                    self.drop(key)

        return once

    async def settled(self) -> None:
        """Return once nothing is due."""
        while self._running or self._next() is not None:
            self._idle.clear()
            await self._idle.wait()

    async def close(self) -> None:
        """Tell nothing more."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def _next(self) -> Hashable | None:
        key = min(self._due, key=self._due.__getitem__, default=None)
        return key if key is not None and self._due[key] <= self._loop.time() else None

    async def _work(self) -> None:
        while True:
            key = self._next()
            if key is None:
                self._idle.set()
                self._stirred.clear()
                first = min(self._due.values(), default=None)
                wait = None if first is None else max(first - self._loop.time(), 0.001)
                try:
                    async with asyncio.timeout(wait):
                        await self._stirred.wait()
                except TimeoutError:
                    pass
                continue
            self._due[key] = self._loop.time() + self._pause
            self._running += 1
            try:
                await self._actions[key]()
            except HoldfastError as error:
                log.info("something could not be told to the network: %s", error)
            finally:
                self._running -= 1
