"""A walk through the DHT as something to iterate over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from holdfast.dht.calls import Reply
from holdfast.dht.query import Query
from holdfast.errors import ClosedError

T = TypeVar("T")

MOST_WAITING = 1024
"""Results that nobody has taken yet: a walk asks fewer nodes than that."""


class Walk(Generic[T]):
    """Results of one walk, as they come; ends with it. `closest` is there afterwards."""

    def __init__(self, on_end: Callable[[Walk[T]], None]) -> None:
        """``on_end`` is told when it is over."""
        self._on_end = on_end
        self._results: deque[T] = deque(maxlen=MOST_WAITING)
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self.query: Query | None = None

    def push(self, result: T) -> None:
        """A result."""
        self._results.append(result)
        self._wake()

    def end(self, query: Query) -> None:
        """There are no more."""
        self.query = query
        self._over()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Walk[T]:
        return self

    async def __anext__(self) -> T:
        while not self._results:
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self._results.popleft()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def finished(self) -> Query:
        """Wait for the end, whoever takes the results; cancelling it cancels the walk."""
        try:
            while not self._ended:
                await self._wait()
        finally:
            self.cancel()
        if self.query is None or not self.query.done:
            raise ClosedError("The DHT node was closed.")
        return self.query

    def cancel(self) -> None:
        """End it now, with what it has."""
        if not self._ended:
            if self.query is not None:
                self.query.cancel()
            self._over()

    def _over(self) -> None:
        self._ended = True
        self._on_end(self)
        self._wake()

    @property
    def closest(self) -> list[Reply]:
        """Answers of the nodes nearest to the target, so far."""
        return [] if self.query is None else self.query.closest
