"""Two streams and a bad network between them, in virtual time: seeds, not sleeps."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from holdfast.udx import Addr, Burst, Cause, Closed, Ended, Event, Stream

IP_BYTES = 28


@dataclass
class Weather:
    """What one direction of the network does to datagrams."""

    delay: float = 0.02
    jitter: float = 0.0
    """Up to so many seconds more: what comes later may overtake."""
    loss: float = 0.0
    duplicates: float = 0.0
    mtu: int = 1500
    """IP packets above this vanish, if they may not be split."""
    rate: float = float("inf")
    """Bytes per second."""
    queue: float = 0.1
    """Seconds of sending that wait for their turn; what comes on top is dropped."""
    partitions: list[tuple[float, float]] = field(default_factory=list)
    """From when to when nothing passes."""


class Host:
    """One stream, its address, and what its user does."""

    def __init__(self, net: Net, addr: Addr, stream: Stream) -> None:
        self.net, self.addr, self.stream = net, addr, stream
        self.received = bytearray()
        self.events: list[Event] = []
        self.reading = True
        self.end_when_ended = True
        self.peak_waiting = 0
        self.timer = float("inf")

    def flush(self) -> None:
        """What a real adapter does after every turn: send, hand over, set the timer."""
        now = self.net.now
        for burst in self.stream.to_send(now):
            self.net.send(self, burst)
        if self.reading:
            self.received += b"".join(self.stream.read())
        for event in self.stream.events():
            self.events.append(event)
            if isinstance(event, Ended) and self.end_when_ended:
                self.stream.end()
                self.net.wake(self)
        for burst in self.stream.to_send(now):
            self.net.send(self, burst)
        self.peak_waiting = max(self.peak_waiting, self.stream.inbox.waiting)
        due = self.stream.deadline()
        if due is not None and due < self.timer:
            self.timer = due
            self.net.at(max(due, now), lambda: self._on_timer(due))

    def _on_timer(self, due: float) -> None:
        if self.timer == due:
            self.timer = float("inf")
        self.stream.on_deadline(self.net.now)
        self.flush()

    @property
    def cause(self) -> Cause | None:
        return self.stream.cause

    def has(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


class Net:
    """Hosts, and weather by direction; `run` lets time pass as fast as the machine can."""

    def __init__(self, seed: int = 0, there: Weather | None = None, back: Weather | None = None):
        self.random = Random(seed)
        self.now = 1000.0
        self.weather = {0: there or Weather(), 1: back or there or Weather()}
        self.sent = self.dropped = self.steps = 0
        self.tap: Callable[[Host, memoryview], None] = lambda host, datagram: None
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._busy_until = {0: 0.0, 1: 0.0}
        self.hosts: list[Host] = []

    def pair(self, *, connect: bool = True, **options: int) -> tuple[Host, Host]:
        """Two connected ends."""
        for number in (0, 1):
            stream = Stream(10 + number, self.now, **options)  # type: ignore[arg-type]
            self.hosts.append(Host(self, ("10.0.0.1", 1 + number), stream))
        a, b = self.hosts
        if connect:
            a.stream.connect(b.stream.local_id, b.addr, self.now)
            b.stream.connect(a.stream.local_id, a.addr, self.now)
        return a, b

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._queue, (when, next(self._order), action))

    def wake(self, host: Host) -> None:
        """The user of this stream did something: flush it."""
        self.at(self.now, host.flush)

    def send(self, host: Host, burst: Burst) -> None:
        """Put a burst on the wire."""
        for datagram in burst.datagrams():
            self.sent += 1
            self.tap(host, datagram)
            self._carry(host, bytes(datagram), burst)

    def _carry(self, host: Host, datagram: bytes, burst: Burst) -> None:
        way = self.hosts.index(host)
        weather, random = self.weather[way], self.random
        size = len(datagram) + IP_BYTES
        if random.random() < weather.loss or (size > weather.mtu and not burst.fragment):
            self.dropped += 1
            return
        if any(start <= self.now < end for start, end in weather.partitions):
            self.dropped += 1
            return
        leaves = max(self.now, self._busy_until[way])
        if leaves - self.now > weather.queue:
            self.dropped += 1
            return
        self._busy_until[way] = leaves + size / weather.rate
        copies = 2 if random.random() < weather.duplicates else 1
        source = host.addr
        for _ in range(copies):
            arrives = self._busy_until[way] + weather.delay + random.random() * weather.jitter
            self.at(arrives, lambda: self._arrive(datagram, source, burst.addr))

    def _arrive(self, datagram: bytes, source: Addr, target: Addr) -> None:
        for host in self.hosts:
            if host.addr == target:
                host.stream.receive(datagram, source, self.now)
                host.flush()

    def run(self, until: Callable[[], object], limit: float = 3600.0) -> None:
        """Let time pass until something is so; AssertionError when it never gets so."""
        end = self.now + limit
        while not until():
            assert self._queue, "nothing will ever happen any more"
            self.now, _, action = heapq.heappop(self._queue)
            assert self.now < end, "it takes too long"
            self.steps += 1
            action()

    def closed(self) -> bool:
        """Whether both ends are over."""
        return all(host.has(Closed) for host in self.hosts)
