"""Room for requests: how many, and how many bytes of them, may be on their way at once."""

from __future__ import annotations

import asyncio
from collections import deque

from holdfast.errors import HoldfastError


class Room:
    """Lets requests in, in order, as far as the other side takes them; see `rpc.OVERHEAD`."""

    def __init__(self) -> None:
        self.requests = 0
        """Requests inside now."""
        self.bytes = 0
        """What they count for."""
        self._limits = (0, 0)
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._closed: HoldfastError | None = None

    def open(self, requests: int, size: int) -> None:
        """From now on so many requests of so many bytes in all may be inside."""
        self._limits = (requests, size)
        self._admit()

    async def enter(self, cost: int) -> None:
        """Wait for room; each return is to be matched by a `leave`. Raises what `close` was given.

        Whoever is cancelled while waiting does not count.
        """
        if self._closed is not None:
            raise self._closed
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((cost, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(cost)
            else:
                self._admit()
            raise

    def leave(self, cost: int) -> None:
        """A request has its answer."""
        self.requests -= 1
        self.bytes -= cost
        self._admit()

    def close(self, reason: HoldfastError) -> None:
        """Nobody gets in any more."""
        self._closed = reason
        queue, self._queue = self._queue, deque()
        for _, turn in queue:
            if not turn.done():
                turn.set_exception(reason)

    def _admit(self) -> None:
        most, size = self._limits
        while self._queue:
            cost, turn = self._queue[0]
            if turn.done():
                self._queue.popleft()  # whoever waited has given up
            elif self.requests < most and self.bytes + cost <= size:
                self._queue.popleft()
                self.requests += 1
                self.bytes += cost
                turn.set_result(None)
            else:
                return
