"""A small internet in virtual time: hosts behind NATs of each kind, and packets between them.

* ``open``       no NAT: whoever knows the address gets through
* ``cone``       one outside port for each socket; in comes only what was written to
* ``symmetric``  another outside port for each destination; in comes only the answer
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from holdfast.dht.nat import Address

LATENCY = 0.02
"""Seconds from anywhere to anywhere."""
NAT_TIMEOUT = 60.0
"""Seconds after which a NAT forgets what was sent (30 to 120 in practice)."""

Receive = Callable[[Any, Address], None]


@dataclass
class Network:
    """Time, and who is where."""

    seed: int = 1
    now: float = 0.0
    lost: float = 0.0
    sent: int = 0
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _hosts: dict[str, Host] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def host(self, name: str, kind: str = "open") -> Host:
        """A machine whose public host is `name`, behind a NAT of this kind."""
        host = self._hosts[name] = Host(self, name, kind)
        return host

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._order), action))

    def carry(self, source: Address, to: Address, data: Any) -> None:
        """A packet has left its NAT."""
        self.sent += 1
        target = self._hosts.get(to[0])
        if target is not None and self.random.random() >= self.lost:
            self.at(self.now + LATENCY, lambda: target.arrive(source, to[1], data))

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        while self._queue and not done():
            when, _, action = self._queue[0]
            if when > until:
                break
            heapq.heappop(self._queue)
            self.now = when
            action()


class Host:
    """A machine with sockets, and the NAT in front of it."""

    def __init__(self, network: Network, name: str, kind: str) -> None:
        self.network, self.name, self.kind = network, name, kind
        self._sockets: dict[int, Receive] = {}
        self._ports = itertools.count(40000)
        self._out: dict[tuple[int, Address | None], int] = {}
        self._in: dict[int, int] = {}
        self._written: dict[tuple[int, Address], float] = {}

    def bind(self, receive: Receive) -> int:
        """Open a socket; returns its inside port."""
        port = next(self._ports)
        self._sockets[port] = receive
        return port

    def unbind(self, port: int) -> None:
        self._sockets.pop(port, None)

    def send(self, port: int, to: Address, data: Any, *, low_ttl: bool = False) -> None:
        """Send from a socket; with few hops the packet dies behind the NAT."""
        outside = self._outside(port, to)
        self._written[outside, to] = self.network.now
        if not low_ttl:
            self.network.carry((self.name, outside), to, data)

    def arrive(self, source: Address, outside: int, data: Any) -> None:
        """A packet stands before the NAT."""
        inside = outside if self.kind == "open" else self._in.get(outside)
        if inside is None or inside not in self._sockets:
            return
        if self.kind != "open":
            written = self._written.get((outside, source), -NAT_TIMEOUT)
            if self.network.now - written >= NAT_TIMEOUT:
                return
        self._sockets[inside](data, source)

    def _outside(self, inside: int, to: Address) -> int:
        if self.kind == "open":
            return inside
        key = (inside, to if self.kind == "symmetric" else None)
        if key not in self._out:
            outside = self.network.random.randrange(1024, 65536)
            while outside in self._in:
                outside = self.network.random.randrange(1024, 65536)
            self._out[key], self._in[outside] = outside, inside
        return self._out[key]
