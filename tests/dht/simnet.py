"""Networks of pure DHT nodes in virtual time: latency, loss, firewalls, partitions, dead nodes."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any, TypeVar

from holdfast.crypto import KeyPair, blake2b
from holdfast.dht import operations
from holdfast.dht.node import CLIENT, SERVER, Node
from holdfast.dht.operations import Found
from holdfast.dht.query import Query
from holdfast.dht.relaying import Relaying
from holdfast.dht.storage import Storage

Addr = tuple[str, int]
T = TypeVar("T")

SERVER_PORT, CLIENT_PORT = 49737, 50000
_PORTS = {SERVER: SERVER_PORT, CLIENT: CLIENT_PORT}
_SOCKETS = {port: name for name, port in _PORTS.items()}


class Host:
    """One machine with one node."""

    def __init__(self, net: SimNet, name: str, node: Node, *, firewalled: bool) -> None:
        self.net = net
        self.name = name
        self.node = node
        self.relaying = Relaying(node)
        self.storage = Storage(self.relaying.router, net.random_bytes)
        for command in self.storage.handlers:
            node.handlers[command] = self.storage.answer
        self.firewalled = firewalled
        self.alive = True
        self.events: list[str] = []
        self.wakes = float("inf")
        self._pierced: set[tuple[int, Addr]] = set()

    @property
    def addr(self) -> Addr:
        return self.name, SERVER_PORT

    def lets_in(self, port: int, source: Addr) -> bool:
        return not self.firewalled or (port, source) in self._pierced

    def receive(self, port: int, data: bytes, source: Addr) -> None:
        if self.alive and self.lets_in(port, source):
            self.node.receive(data, source, self.net.now, _SOCKETS[port])
            self.flush()

    def flush(self) -> None:
        for data, to, socket, _ in self.node.to_send(self.net.now):
            port = _PORTS[str(socket)]
            self._pierced.add((port, to))
            self.net.carry((self.name, port), to, data)
        self.events += self.node.events()
        deadline = self.node.deadline()
        if deadline < self.wakes:
            self.wakes = deadline
            self.net.at(deadline, self._wake)

    def _wake(self) -> None:
        if self.alive and self.wakes <= self.net.now:
            self.wakes = float("inf")
            self.node.on_deadline(self.net.now)
            self.flush()

    # -- what users do, each to its end --------------------------------------------------------

    def run(self, begin: Callable[[Callable[[Query], None]], Query]) -> Query:
        done: list[Query] = []
        self.node.now = self.net.now
        begin(done.append)
        self.flush()
        self.net.run_until(lambda: bool(done))
        return done[0]

    def find_node(self, target: bytes) -> Query:
        return self.run(lambda done: self.node.find_node(target, on_done=done))

    def announce(self, topic: bytes, keys: KeyPair, **options: Any) -> Query:
        return self.run(
            lambda done: operations.announce(
                self.node, self.storage, topic, keys, [], done, **options
            )
        )

    def unannounce(self, topic: bytes, keys: KeyPair) -> Query:
        return self.run(
            lambda done: operations.unannounce(self.node, self.storage, topic, keys, done)
        )

    def lookup(self, topic: bytes) -> tuple[list[Found], Query]:
        found: list[Found] = []
        query = self.run(
            lambda done: operations.lookup(self.node, self.storage, topic, found.append, done)
        )
        return found, query

    def keys_under(self, topic: bytes) -> set[bytes]:
        return {peer.public_key for found in self.lookup(topic)[0] for peer in found.peers}


class SimNet:
    """The wires between them."""

    def __init__(self, seed: int = 0, *, latency: tuple[float, float] = (0.005, 0.08)) -> None:
        self.now = 1000.0
        self.random = random.Random(seed)
        self.hosts: dict[str, Host] = {}
        self.loss = 0.0
        self.cut: Callable[[str, str], bool] = lambda one, other: False
        """Whether a partition lies between two hosts."""
        self.carried = 0
        self.spy: Callable[[Addr, Addr, bytes], None] | None = None
        self._latency = latency
        self._distance: dict[tuple[str, str], float] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def random_bytes(self, count: int) -> bytes:
        return self.random.randbytes(count)

    def host(
        self,
        bootstrap: list[Addr] | None = None,
        *,
        stays: bool = True,
        firewalled: bool = False,
        settled: bool = True,
    ) -> Host:
        """A new machine; ``stays``: its owner says so, else the node finds out."""
        number = len(self.hosts) + 1
        name = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        node = Node(
            random=self.random_bytes,
            now=self.now,
            local=(name, SERVER_PORT) if stays else ("0.0.0.0", SERVER_PORT),
            bootstrap=bootstrap or [],
            ephemeral=False if stays else None,
        )
        host = self.hosts[name] = Host(self, name, node, firewalled=firewalled)
        node.start()
        host.flush()
        if settled:
            self.run_until(lambda: bool({"bootstrapped", "unreachable"} & set(host.events)))
        return host

    def grow(self, count: int, **options: Any) -> list[Host]:
        """A network of nodes that stay; the first is the bootstrap node of the others."""
        first = self.host(**options)
        return [first, *(self.host([first.addr], **options) for _ in range(count - 1))]

    def carry(self, source: Addr, to: Addr, data: bytes) -> None:
        self.carried += 1
        if self.spy is not None:
            self.spy(source, to, data)
        host = self.hosts.get(to[0])
        lost = self.random.random() < self.loss or self.cut(source[0], to[0])
        if host is not None and to[1] in _SOCKETS and not lost:
            self.at(self.now + self._delay(source, to), lambda: host.receive(to[1], data, source))

    def _delay(self, source: Addr, to: Addr) -> float:
        pair = (min(source[0], to[0]), max(source[0], to[0]))
        if pair not in self._distance:
            self._distance[pair] = self.random.uniform(*self._latency)
        return self._distance[pair] * self.random.uniform(1.0, 1.1)

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (when, self._order, what))

    def run_until(self, done: Callable[[], bool], *, seconds: float = 120.0) -> None:
        """Let time pass until something is so; fails when that takes too long."""
        end = self.now + seconds
        while not done():
            assert self._agenda and self._agenda[0][0] <= end, "it did not come to that"
            self._step()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            self._step()
        self.now = end

    def _step(self) -> None:
        when, _, what = heapq.heappop(self._agenda)
        self.now = max(self.now, when)
        what()


def topic(number: int) -> bytes:
    return blake2b(b"topic %d" % number)
