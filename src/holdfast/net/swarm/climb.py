"""Climbing the ladder: dials the ways to one peer in their order, each step visible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net.connection import Connection
from holdfast.net.swarm.candidate import DHT, LAN, PUNCHED, RELAY
from holdfast.net.swarm.ladder import Ladder, Way
from holdfast.net.swarm.trace import DROPPED, FAILED, OPENED, TRYING, Step, Trace

DialWay = Callable[[Way], Awaitable[Connection]]


class Climb:
    """One attempt to reach one peer."""

    def __init__(
        self,
        who: bytes,
        ways: Iterable[Way],
        dial: DialWay,
        *,
        trace: Trace,
        clock: Callable[[], float],
        limit: float,
    ) -> None:
        """``dial`` makes a connection one way, or raises a HoldfastError; ``limit`` is for all."""
        self.who = who
        self._ways = list(ways)
        self._dial = dial
        self._trace = trace
        self._clock = clock
        self._limit = limit
        self._tasks: dict[asyncio.Task[Connection], Way] = {}
        self._better: dict[asyncio.Task[Connection], Way] = {}
        self.ladder: Ladder | None = None

    async def run(self) -> tuple[Way, Connection]:
        """The way that led there, and the connection. Raises `PeerUnreachable`."""
        ladder = self.ladder = Ladder(self._ways, self._clock(), limit=self._limit)
        try:
            while not ladder.done:
                for way in ladder.to_start(self._clock()):
                    self._begin(way)
                connection = await self._next(ladder)
                if connection is not None and ladder.won is not None:
                    if ladder.won.rung == RELAY:
                        self._better = {task: w for task, w in self._tasks.items() if w.rung == DHT}
                    return ladder.won, connection
        finally:
            await self._drop_others()
        raise PeerUnreachable(why(ladder))

    @property
    def can_improve(self) -> bool:
        """Whether a hole is still being punched, though a relay was reached first."""
        return bool(self._better)

    async def improve(self) -> tuple[Way, Connection] | None:
        """Wait for that hole, as long as it may take; cancel this to give it up."""
        self._tasks, self._better = self._better, {}
        assert self.ladder is not None
        try:
            connection = await self._next(self.ladder)
            return None if connection is None else (self.ladder.won or Way(DHT), connection)
        finally:
            await self._drop_others()

    def _begin(self, way: Way) -> None:
        self._say(way.rung, TRYING, where=str(way))
        self._tasks[asyncio.ensure_future(self._dial(way))] = way

    async def _next(self, ladder: Ladder) -> Connection | None:
        """Wait until a dial is over or the ladder wants to go on."""
        if not self._tasks:
            return None
        deadline = ladder.deadline()
        pause = None if deadline is None else max(0.0, deadline - self._clock())
        done, running = await asyncio.wait(
            self._tasks, timeout=pause, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            way = self._tasks.pop(task)
            try:
                connection = task.result()
            except HoldfastError as error:
                seconds = ladder.failed(way, error.message, self._clock())
                self._say(way.rung, FAILED, seconds, str(way), error.message)
            else:
                seconds = ladder.opened(way, self._clock())
                where = str(connection.remote_address or way)
                self._say(rung_of(way, connection), OPENED, seconds, where)
                return connection
        if not done and running and self._clock() >= ladder.end:
            await self._out_of_time(ladder)
        return None

    async def _out_of_time(self, ladder: Ladder) -> None:
        for way in list(self._tasks.values()):
            reason = f"No answer within {self._limit:g} seconds."
            self._say(way.rung, FAILED, ladder.failed(way, reason, self._clock()), str(way), reason)
        await self._stop(list(self._tasks))
        self._tasks.clear()

    async def _drop_others(self) -> None:
        dropped = [task for task in self._tasks if task not in self._better]
        for task in dropped:
            way = self._tasks.pop(task)
            seconds = self.ladder.failed(way, "", self._clock()) if self.ladder else 0.0
            self._say(way.rung, DROPPED, seconds, str(way))
        await self._stop(dropped)

    async def _stop(self, tasks: list[asyncio.Task[Connection]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _say(
        self, rung: str, outcome: str, seconds: float = 0.0, where: str = "", reason: str = ""
    ) -> None:
        self._trace.add(Step(self._clock(), self.who, rung, outcome, seconds, where, reason))


def rung_of(way: Way, connection: Connection) -> str:
    """The rung that counts: what began as a question to the DHT may end through a punched hole."""
    if way.rung == DHT and connection.route == "punched":
        return PUNCHED
    if way.rung == DHT and connection.route == "lan":
        return LAN
    return way.rung


def why(ladder: Ladder) -> str:
    """One sentence on why nothing led there."""
    told = [(way.rung == RELAY, reason) for way, reason in ladder.failures if reason]
    if not told:
        return "No way to this peer is known."
    # That no relay holds it says less than what the peer itself did.
    return min(reversed(told), key=lambda pair: pair[0])[1]
