"""The order in which the ways to one peer are tried: pure, time is a parameter.

The nearest first. A way that has not led anywhere within its head start is not given up, but the
next is tried beside it; when one has failed, the next begins at once. The first that opens wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from holdfast.net.address import Address
from holdfast.net.swarm.candidate import BOOK, DHT, LAN, LINK, MACHINE, MAX_ADDRESSES, RELAY, RUNGS

HEAD_START: Mapping[str, float] = {
    LINK: 0.5,
    BOOK: 0.5,
    MACHINE: 0.1,
    LAN: 0.25,
    DHT: 6.0,
    RELAY: 10.0,
}
"""Seconds that a way has before the next begins beside it: several of its usual round trips.
Through the DHT a hole may have to be punched, which takes seconds and is worth more than a relay.
"""


class Way(NamedTuple):
    """One way to a peer."""

    rung: str
    addresses: tuple[Address, ...] = ()
    """What to dial; for the DHT the nodes to ask, and nothing for a relay: the key is enough."""

    def __str__(self) -> str:
        """Its addresses as text."""
        return ", ".join(map(str, self.addresses))


class Ladder:
    """One attempt to reach one peer. Call `to_start` after whatever happened, and at `deadline`."""

    def __init__(self, ways: Iterable[Way], now: float, *, limit: float) -> None:
        """``limit`` seconds for all ways together."""
        order = {rung: index for index, rung in enumerate(RUNGS)}
        self._waiting = sorted(ways, key=lambda way: order[way.rung])
        self._running: dict[Way, float] = {}
        self._next = now
        self.end = now + limit
        """When it is over, whatever is still running."""
        self.failures: list[tuple[Way, str]] = []
        """The ways that led nowhere, with a sentence each."""
        self.won: Way | None = None

    @property
    def running(self) -> list[Way]:
        """What is being tried now."""
        return list(self._running)

    @property
    def done(self) -> bool:
        """Whether one has opened, or nothing is left to try."""
        return self.won is not None or not (self._waiting or self._running)

    def to_start(self, now: float) -> list[Way]:
        """The ways to begin now; each must end in `failed` or `opened`, unless it is `done`."""
        if self.won is not None:
            return []
        if now >= self.end:
            self.failures += [(way, "There was no time left.") for way in self._waiting]
            self._waiting.clear()
        started = []
        while self._waiting and (not self._running or now >= self._next):
            way = self._waiting.pop(0)
            self._running[way] = now
            self._next = now + HEAD_START[way.rung]
            started.append(way)
        return started

    def deadline(self) -> float | None:
        """When to call `to_start` again (or, with everything begun, to give up); None when done."""
        if self.done:
            return None
        return min(self._next, self.end) if self._waiting else self.end

    def failed(self, way: Way, reason: str, now: float) -> float:
        """A way leads nowhere; returns how long it took."""
        self.failures.append((way, reason))
        return now - self._running.pop(way, now)

    def opened(self, way: Way, now: float) -> float:
        """A way leads there; returns how long it took."""
        self.won = way
        self._waiting.clear()
        return now - self._running.pop(way, now)


def ways_of(
    learnt: Mapping[str, tuple[Address, ...]],
    nodes: tuple[Address, ...],
    *,
    dht: bool,
    relay: bool,
) -> list[Way]:
    """The ways to a peer, from the addresses learnt for each rung and the DHT nodes it is behind.

    An address is dialled on the first rung that knows it only.
    """
    ways, seen = [], set[Address]()
    for rung in (LINK, BOOK, MACHINE, LAN, DHT):
        fresh = tuple(each for each in learnt.get(rung, ()) if each not in seen)[:MAX_ADDRESSES]
        seen.update(fresh)
        if fresh:
            ways.append(Way(rung if rung != DHT else LINK, fresh))
    if dht:
        ways.append(Way(DHT, nodes[:MAX_ADDRESSES]))
    if relay:
        ways.append(Way(RELAY))
    return ways
