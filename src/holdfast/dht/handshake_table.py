"""The unfinished handshakes of a server, and how many of them strangers may begin.

A first message costs its sender nothing, and us four scalar multiplications (about 0.4 ms) and a
place here. So each source has a small share of both, whoever has not asked for a while comes before
who asks all the time, and when every place is taken, the source that holds most of them loses one.
A message that comes again gets the answer of before, without any work.
"""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HandshakeLimits:
    """Bounds on one server. Each number says what it protects."""

    pending: int = 256
    """Unfinished handshakes (about 20 KB each, mostly a stream's buffers: 5 MB)."""
    pending_per_source: int = 32
    """Of these from one host: a school behind one address, and room for others beside it."""
    pending_per_key: int = 4
    """Of these by one key: whoever dials again gives up what it began before."""
    lifetime: float = 10.0
    """Seconds until an unfinished handshake is given up: as long as in the peers."""
    per_source: float = 16.0
    """New handshakes per second from one host, after a burst of `pending_per_source`."""
    newcomers: float = 400.0
    """New handshakes per second from hosts that have not asked lately: 16 % of a processor."""
    regulars: float = 100.0
    """New handshakes per second from all others: 4 % of a processor."""


SOURCES = 4096
"""Hosts whose asking is remembered (about 1 MB)."""
BURST_SECONDS = 1.0
"""How much of a rate may come at once."""


class _Bucket:
    """So many per second, and some at once."""

    __slots__ = ("burst", "level", "rate", "seen")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.level, self.seen = burst, 0.0

    def fill(self, now: float) -> None:
        self.level = min(self.burst, self.level + (now - self.seen) * self.rate)
        self.seen = now

    def take(self, now: float) -> bool:
        self.fill(now)
        if self.level < 1.0:
            return False
        self.level -= 1.0
        return True


class HandshakeTable(Generic[T]):
    """Places for what a server keeps of each handshake."""

    def __init__(self, limits: HandshakeLimits | None = None) -> None:
        self.limits = limits = limits or HandshakeLimits()
        self.refused = 0
        """Handshakes turned away since the start, or given up to make room."""
        self._newcomers = _Bucket(limits.newcomers, limits.newcomers * BURST_SECONDS)
        self._regulars = _Bucket(limits.regulars, limits.regulars * BURST_SECONDS)
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()
        self._ids = itertools.count(1)
        self._places: OrderedDict[int, _Place[T]] = OrderedDict()
        self._by_noise: dict[bytes, int] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[T]:
        return iter([place.item for place in self._places.values()])

    # ------------------------------------------------------------ before any work

    def find(self, noise: bytes) -> T | None:
        """What is kept for this very message."""
        number = self._by_noise.get(noise)
        return None if number is None else self._places[number].item

    def allow(self, source: str, now: float) -> bool:
        """Whether a host may begin one more handshake."""
        bucket = self._sources.pop(source, None)
        new = bucket is None
        if bucket is None:
            bucket = _Bucket(self.limits.per_source, self.limits.pending_per_source)
            if len(self._sources) >= SOURCES:
                self._sources.popitem(last=False)
        self._sources[source] = bucket
        bucket.fill(now)
        if bucket.level >= bucket.burst:
            new = True  # has been quiet long enough to count as one again
        everybody = self._newcomers if new else self._regulars
        if bucket.take(now) and everybody.take(now):
            return True
        self.refused += 1
        return False

    # ------------------------------------------------------------ places

    def add(
        self, noise: bytes, source: str, key: bytes, item: T, now: float
    ) -> tuple[int, list[T]]:
        """Keep ``item``; returns its number, and what had to make room for it."""
        gone = []
        of_key = [
            number
            for number, place in self._places.items()
            if place.key == key and not place.settled
        ]
        if len(of_key) >= self.limits.pending_per_key:
            gone += self._take(of_key[0])
        if self._held[source] >= self.limits.pending_per_source:
            gone += self._evict(source)
        while len(self._places) >= self.limits.pending:
            gone += self._make_room()
        number = next(self._ids)
        self._places[number] = _Place(noise, source, key, item, now + self.limits.lifetime)
        self._by_noise[noise] = number
        self._held[source] += 1
        self.refused += len(gone)
        return number, gone

    def get(self, number: int) -> T | None:
        """What was kept under a number."""
        place = self._places.get(number)
        return None if place is None else place.item

    def opened(self, number: int) -> None:
        """This client has shown that it is one: what it has used up is given back.

        Its place is kept, but is the first that makes room.
        """
        place = self._places.get(number)
        if place is None or place.settled:
            return
        place.settled = True
        self._let_go(place.source)
        for bucket in (self._sources.get(place.source), self._newcomers, self._regulars):
            if bucket is not None:
                bucket.level = min(bucket.burst, bucket.level + 1.0)

    def remove(self, number: int) -> None:
        """Give a place back; unknown numbers are ignored."""
        self._take(number)

    def extend(self, number: int, until: float) -> None:
        """Keep this one until ``until``: hole punching may take longer than a lifetime."""
        place = self._places.get(number)
        if place is not None:
            place.expires = until

    def expire(self, now: float) -> list[T]:
        """What has been here too long; it is not kept any more."""
        late = [number for number, place in self._places.items() if place.expires <= now]
        return [item for number in late for item in self._take(number)]

    def deadline(self) -> float | None:
        """When something expires next."""
        return min((place.expires for place in self._places.values()), default=None)

    def _make_room(self) -> list[T]:
        for number, place in self._places.items():
            if place.settled:
                return self._take(number)
        return self._evict(self._held.most_common(1)[0][0])

    def _evict(self, source: str) -> list[T]:
        """Of one host the oldest unfinished one."""
        for number, place in self._places.items():
            if place.source == source and not place.settled:
                return self._take(number)
        return []

    def _take(self, number: int) -> list[T]:
        place = self._places.pop(number, None)
        if place is None:
            return []
        del self._by_noise[place.noise]
        if not place.settled:
            self._let_go(place.source)
        return [place.item]

    def _let_go(self, source: str) -> None:
        self._held[source] -= 1
        if not self._held[source]:
            del self._held[source]


@dataclass(slots=True)
class _Place(Generic[T]):
    noise: bytes
    source: str
    key: bytes
    item: T
    expires: float
    settled: bool = False
