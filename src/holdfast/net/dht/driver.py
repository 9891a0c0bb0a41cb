"""The machine `holdfast.dht.Node` on real sockets: two of them, a clock, and callers who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from holdfast.crypto import KeyPair, random_bytes
from holdfast.crypto import key_pair as make_key_pair
from holdfast.dht.calls import Reply
from holdfast.dht.counters import Counters
from holdfast.dht.ids import pack
from holdfast.dht.nat import AddressSampler, Firewall
from holdfast.dht.node import Node
from holdfast.dht.relaying import Relaying
from holdfast.dht.storage import Storage
from holdfast.errors import AddressError, ClosedError
from holdfast.net.address import Address
from holdfast.net.dht.bootstrap import is_ipv4, parse_bootstrap, resolve_bootstrap
from holdfast.net.dht.tasks import Tasks
from holdfast.net.dht.walk import Walk
from holdfast.net.dht.watch import NetworkWatch, seconds
from holdfast.net.udp.socket import UdpSocket
from holdfast.net.udp.table import StreamTable

MOST_TASKS = 256
"""Handlers that take their time at once: each holds a request of at most 64 KB."""
MOST_WALKS = 64
"""Walks at once; others wait, since each has up to ten datagrams on the way."""

_NEVER = float("inf")
Addr = tuple[str, int]


class DhtDriver:
    """One node on the network; made by `open`. `DhtNode` adds what one does with it."""

    def __init__(
        self,
        server_socket: UdpSocket,
        client_socket: UdpSocket,
        bootstrap: Sequence[Address],
        key_pair: KeyPair,
        *,
        ephemeral: bool | None,
        firewalled: bool | None,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.server_socket = server_socket
        self.client_socket = client_socket
        self.key_pair = key_pair
        self.machine = Node(
            random=random,
            now=clock(),
            local=(server_socket.host, server_socket.port),
            ephemeral=ephemeral,
            firewalled=firewalled,
            server=server_socket,
            client=client_socket,
        )
        self.relaying = Relaying(self.machine)
        """Who is reached through this node, or served on it."""
        self.storage = Storage(self.relaying.router, random)
        """What this node keeps for others."""
        for command in self.storage.handlers:
            self.machine.handlers[command] = self.storage.answer
        self.room = asyncio.Semaphore(MOST_WALKS)
        """Taken for each walk."""
        self.on_event: Callable[[str], None] | None = None
        """Hears of "bootstrapped", "unreachable", "open", "persistent", "ephemeral", "address"."""
        self.closed = False
        self.bootstrap = bootstrap
        """The bootstrap nodes as they were given."""
        self.unknown_names: list[str] = []
        """Those of them of which no address is known."""
        self.waiting: set[asyncio.Future[Reply]] = set()
        """Who waits for an answer."""
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fires = _NEVER
        self._first: asyncio.Future[None] = self._loop.create_future()
        self._walks: set[Walk[Any]] = set()
        self.tasks = Tasks(MOST_TASKS)
        """What goes on beside."""
        self.machine.sink = _send
        for socket in (server_socket, client_socket):
            self.attach(socket)
        self.machine.bootstrap = [pack(node) for node in bootstrap if is_ipv4(node.host)]
        self._resolved = asyncio.Event()
        self._watch = NetworkWatch(self.host, self.moved)
        self.tasks.add(self._start())

    @classmethod
    async def open(
        cls,
        *,
        host: str = "0.0.0.0",
        port: int = 0,
        bootstrap: Iterable[Address | tuple[str, int] | str] = (),
        key_pair: KeyPair | None = None,
        ephemeral: bool | None = None,
        firewalled: bool | None = None,
        clock: Callable[[], float] | None = None,
        random: Callable[[int], bytes] = random_bytes,
    ) -> Self:
        """Bind two sockets and look for the others. Raises `AddressError` and `ListenError`.

        Without ``bootstrap`` it is the first of a network of its own; others can only find it when
        it stays (``ephemeral=False``), which also says that it is not behind a firewall unless
        ``firewalled`` says otherwise. What is None is found out by asking the others.
        """
        nodes = parse_bootstrap(bootstrap)
        if ":" in host:
            raise AddressError(f"{host} is not a host for the DHT, which speaks IPv4 only.")
        table = StreamTable(random)
        server = await UdpSocket.bind(host, port, table=table, random=random)
        try:
            client = await UdpSocket.bind(host, 0, table=table, random=random)
        except BaseException:
            await server.close()
            raise
        return cls(
            server,
            client,
            nodes,
            key_pair or make_key_pair(),
            ephemeral=ephemeral,
            firewalled=firewalled,
            clock=clock or seconds,
            random=random,
        )

    # ---------------------------------------------------------------- what it is

    @property
    def host(self) -> str:
        """Where it is bound."""
        return str(self.server_socket.host)

    @property
    def port(self) -> int:
        """The port that others may write to."""
        return int(self.server_socket.port)

    @property
    def socket(self) -> UdpSocket:
        """The socket to use now: the server's, unless a firewall keeps strangers from it."""
        return self.client_socket if self.machine.reach.firewalled else self.server_socket

    @property
    def firewalled(self) -> bool:
        """Whether strangers cannot write to us, as far as is known."""
        return self.machine.reach.firewalled

    @property
    def ephemeral(self) -> bool:
        """Whether nobody is to keep us in mind or store with us."""
        return self.machine.reach.ephemeral

    @property
    def firewall(self) -> Firewall:
        """The class of NAT before us, as far as is known."""
        return self.machine.reach.firewall

    @property
    def nat(self) -> AddressSampler:
        """Our address as others report it."""
        return self.machine.reach.sampler

    @property
    def counters(self) -> Counters:
        """What was sent and received."""
        return self.machine.counters

    def remote_address(self) -> Address | None:
        """Where anybody can write to us, or None when that is not so or not known."""
        address = self.machine.reach.address
        return None if address is None else Address(*address)

    def nodes(self) -> list[Address]:
        """Nodes that have answered, the last one heard of first: to begin with the next time."""
        table = self.machine.table
        return [Address(*contact.address) for contact in table.latest(len(table))]

    @property
    def has_begun(self) -> bool:
        """Whether the first walk is over."""
        return self._first.done()

    async def bootstrapped(self) -> bool:
        """Wait for the first walk; whether anybody has answered (`status` says why not)."""
        await asyncio.shield(self._first)
        return self.machine.joining.joined

    async def resolved(self) -> None:
        """Wait until the names of the bootstrap nodes were looked up, as far as that is needed."""
        if not self.machine.bootstrap and not len(self.machine.table):
            await self._resolved.wait()

    def walk(self) -> Walk[Any]:
        """A walk that is about to begin; it ends with this node at the latest."""
        walk: Walk[Any] = Walk(self._walks.discard)
        self._walks.add(walk)
        return walk

    # ---------------------------------------------------------------- the machine's hands

    def attach(self, socket: UdpSocket) -> None:
        """Take the DHT's packets from another socket too (one that punches holes)."""
        receive, clock = self.machine.receive, self._clock

        def on_datagram(data: bytes, addr: Addr) -> None:
            if not self.closed:
                receive(data, addr, clock(), socket)
                self.flush()

        socket.on_datagram = on_datagram

    def enter(self) -> Node:
        """The machine, told what time it is; `flush` after using it. Raises `ClosedError`."""
        if self.closed:
            raise ClosedError("The DHT node is closed.")
        self.machine.now = self._clock()
        return self.machine

    def flush(self) -> None:
        """After the machine was used: wake it up when it wants, and tell its news."""
        machine = self.machine
        if machine.soonest < self._fires:
            self._arm()
        if machine.has_news:
            for event in machine.events():
                self._on_event(event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires = self.machine.deadline()
        wait = max(0.0, self._fires - self._clock())
        self._timer = self._loop.call_later(wait, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._fires = None, _NEVER
        if self.closed:
            return
        now = self._clock()
        if now >= self.machine.deadline():
            self.machine.on_deadline(now)
        self.flush()

    def _on_event(self, event: str) -> None:
        if event in ("bootstrapped", "unreachable") and not self._first.done():
            self._first.set_result(None)
        if event == "unreachable" and self.unknown_names:
            self.tasks.add(self._look_up())
        if self.on_event is not None:
            self.on_event(event)

    def moved(self) -> None:
        """This machine is in another network now: find out anew who and where we are."""
        if not self.closed:
            self.enter().upkeep.start_again()
            self.flush()

    async def _start(self) -> None:
        await self._look_up()
        self._resolved.set()
        if not self.closed:
            self.enter().start()
            self.flush()

    async def _look_up(self) -> None:
        numbers, self.unknown_names = await resolve_bootstrap(self.bootstrap)
        self.machine.bootstrap = [pack(number) for number in numbers]

    async def close(self) -> None:
        """Ask nobody and answer nobody any more. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._watch.close()
        if self._timer is not None:
            self._timer.cancel()
        if not self._first.done():
            self._first.set_result(None)
        self._resolved.set()
        for answer in self.waiting:
            if not answer.done():
                answer.set_exception(ClosedError("The DHT node was closed."))
        for walk in list(self._walks):
            walk.cancel()
        await self.tasks.close()
        await self.server_socket.close()
        await self.client_socket.close()


def _send(data: bytes, addr: Addr, socket: object, ttl: int | None) -> None:
    assert isinstance(socket, UdpSocket)
    socket.send(data, addr, ttl=ttl)
