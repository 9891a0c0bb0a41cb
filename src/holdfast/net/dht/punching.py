"""Runs the machines of hole punching on real sockets, with the DHT to carry words and to look."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from holdfast.crypto import random_bytes
from holdfast.dht.commands import PEER_HOLEPUNCH, PING
from holdfast.dht.handshake_messages import Holepunch, Mode
from holdfast.dht.nat import WANTED
from holdfast.dht.punch_client import Ask, Failed, Met, PunchClient, Reopened
from holdfast.dht.punch_server import GaveUp, PunchServer, Say
from holdfast.dht.puncher import LOW_TTL, PROBE, Probe
from holdfast.dht.relaying import Respond
from holdfast.errors import DecodeError, HoldfastError, ListenError, PeerUnreachable
from holdfast.net.dht.socket_pool import SocketPool, pool_of
from holdfast.net.udp.socket import UdpSocket

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

Addr = tuple[str, int]
ClientEvent = Ask | Reopened | Failed | Met
ServerEvent = Say[Respond] | Reopened | GaveUp

SAMPLE_TIME = 1.0
"""Seconds for one node to say what it sees of a socket; others are asked beside it."""
_NEWEST = 5
"""Nodes left out if there are others: those heard of last may be about to leave again."""

log = logging.getLogger(__name__)


def below(limit: int) -> int:
    """A random number under ``limit``."""
    return int.from_bytes(random_bytes(8), "little") % limit


class Punching:
    """What both sides have in common: sockets by number, a timer, and nodes that look."""

    def __init__(
        self, dht: DhtNode, machine: PunchClient | PunchServer[Respond], first: UdpSocket
    ) -> None:
        """``first`` is socket 0 of the machine."""
        self._dht = dht
        self._pool: SocketPool = pool_of(dht)
        self._machine = machine
        self._loop = asyncio.get_running_loop()
        self._sockets = {0: first}
        self._waiting: list[Probe] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = False
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it has ended, well or not."""
        return self._closed

    def close(self, keep: UdpSocket | None = None) -> None:
        """Stop, and give all sockets back but the one that a stream uses now. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._machine.close(self._loop.time())
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for socket in self._sockets.values():
            if socket is not keep:
                self._pool.release(socket)

    def pump(self) -> None:
        """Do what the machine wants done, and set the clock for it."""
        if self._closed:
            return
        for event in self._machine.events():
            if isinstance(event, Reopened):
                self._reopen(event.first)
            else:
                self.handle(event)
        if self.closed:
            return
        self._send(self._machine.puncher.to_send(self._loop.time()))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._machine.deadline()
        if due is not None:
            self._timer = self._loop.call_at(due, self._on_timer)

    def handle(self, event: ClientEvent | ServerEvent) -> None:
        """An event of either side's own."""
        raise NotImplementedError

    def probed(self, number: int, source: Addr) -> None:
        """A probe has arrived on a socket."""
        if not self._closed:
            self._machine.receive_probe(number, source, self._loop.time())
            self.pump()

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something until `close`."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("hole punching failed", exc_info=task.exception())

    def _on_timer(self) -> None:
        self._timer = None
        if not self._closed:
            self._machine.on_deadline(self._loop.time())
            self.pump()

    # -- sockets --------------------------------------------------------------------------------

    def _send(self, probes: list[Probe]) -> None:
        for probe in probes:
            socket = self._sockets.get(probe.socket)
            if socket is None:
                self._waiting.append(probe)
            else:
                socket.send(PROBE, probe.to, ttl=LOW_TTL if probe.low_ttl else None)
        if self._waiting and not self._opening:
            self._opening = True
            self.spawn(self._open_more())

    async def _open_more(self) -> None:
        """The sockets that the waiting probes are to leave by."""
        try:
            while self._waiting:
                number = self._waiting[0].socket
                await self._open(number)
                ready = [probe for probe in self._waiting if probe.socket in self._sockets]
                self._waiting = [probe for probe in self._waiting if probe not in ready]
                self._send(ready)
        except ListenError as error:
            log.warning("hole punching goes on with fewer sockets: %s", error)
            self._waiting.clear()
        finally:
            self._opening = False

    async def _open(self, number: int) -> UdpSocket:
        socket = self._sockets.get(number)
        if socket is None:
            socket = await self._pool.open(lambda source: self.probed(number, source))
            if self._closed:
                self._pool.release(socket)
            self._sockets[number] = socket
        return socket

    def _reopen(self, first: int) -> None:
        for number in [each for each in self._sockets if each < first]:
            self._pool.release(self._sockets.pop(number))
        self.spawn(self._open_and_sample(first))

    async def _open_and_sample(self, number: int) -> None:
        try:
            await self._open(number)
            await self.sample(number)
        except ListenError:
            self._machine.sampling_over(number, self._loop.time())
            self.pump()

    # -- what others see ------------------------------------------------------------------------

    async def sample(self, number: int) -> None:
        """Have DHT nodes look at a socket, until its NAT is judged or nobody is left to ask."""
        nodes = self._dht.nodes()
        if len(nodes) >= _NEWEST + WANTED:
            nodes = nodes[_NEWEST:] + nodes[:_NEWEST]
        asked = 0
        while asked < len(nodes) and asked < 2 * WANTED and not self._machine.puncher.nat.settled:
            some = nodes[asked : asked + WANTED]
            asked += len(some)
            await asyncio.gather(*(self._look(number, node) for node in some))
        if not self._closed:
            self._machine.sampling_over(number, self._loop.time())
            self.pump()

    async def _look(self, number: int, node: Addr) -> None:
        socket = self._sockets.get(number)
        if socket is None:
            return
        try:
            reply = await self._dht.request(
                node, PING, internal=True, socket=socket, timeout=SAMPLE_TIME, retries=0
            )
        except HoldfastError:
            return
        if not self._closed:
            now = self._loop.time()
            self._machine.sampled(number, reply.seen_as, reply.from_addr, now)
            self.pump()


class ClientPunching(Punching):
    """The dialling side's; `met` tells the socket and address that got through."""

    def __init__(
        self, dht: DhtNode, machine: PunchClient, first: UdpSocket, target: bytes, number: int
    ) -> None:
        """The server knows this under ``number``, and is called under ``target``."""
        super().__init__(dht, machine, first)
        self._client = machine
        self._target, self._number = target, number
        self.met: asyncio.Future[tuple[UdpSocket, Addr]] = self._loop.create_future()
        """PeerUnreachable when it cannot be done."""
        self.on_random: Callable[[], None] | None = None
        """Called once when it turns out that this will take half a minute."""
        first.on_probe = lambda source: self.probed(0, source)
        self.spawn(self.sample(0))
        self.pump()

    def handle(self, event: ClientEvent | ServerEvent) -> None:
        """An event of the dialling side's own."""
        if isinstance(event, Ask):
            self.spawn(self._ask(event))
        elif self.met.done():
            return
        elif isinstance(event, Failed):
            self.met.set_exception(PeerUnreachable(event.reason))
            self.met.exception()  # whoever has gone another way need not be told
        elif isinstance(event, Met):
            self.met.set_result((self._sockets[event.socket], event.address))

    async def _ask(self, ask: Ask) -> None:
        value = Holepunch(Mode.CLIENT, self._number, ask.sealed, ask.peer).encode()
        try:
            socket = await self._open(ask.socket)
            reply = await self._dht.request(
                ask.relay,
                PEER_HOLEPUNCH,
                target=self._target,
                value=value,
                socket=socket,
                timeout=2.0,
            )
            answer = Holepunch.decode(reply.value or b"")
            if answer.mode != Mode.REPLY:
                raise DecodeError("A relay answered with something else.")
        except HoldfastError:
            self._client.ask_failed(self._loop.time())
        else:
            self._client.answered(
                answer.payload,
                seen_as=reply.seen_as,
                source=reply.from_addr,
                peer=answer.peer_address or ask.relay,
                now=self._loop.time(),
            )
        self.pump()
        if self._client.puncher.punching and self._client.puncher.random and self.on_random:
            tell, self.on_random = self.on_random, None
            tell()


class ServerPunching(Punching):
    """The waiting side's, for one client; its first socket is one of the node's own."""

    def __init__(self, dht: DhtNode, machine: PunchServer[Respond], first: UdpSocket) -> None:
        super().__init__(dht, machine, first)
        self._server = machine
        self._sampling = False

    def asked(self, sealed: bytes, peer: Addr, from_our_relay: bool, respond: Respond) -> bool:
        """A word of the client; False when it is not from the client."""
        if self._closed:
            return False
        now = self._loop.time()
        known = self._server.asked(
            sealed, peer=peer, from_our_relay=from_our_relay, tag=respond, now=now
        )
        if known and not self._sampling and not self._server.puncher.nat.settled:
            self._sampling = True
            self.spawn(self.sample(self._server.puncher.first_socket))
        self.pump()
        return known

    def shared_probe(self, socket: UdpSocket, source: Addr) -> None:
        """A probe on a socket of the node: answered if this client may have sent it."""
        if socket is self._sockets.get(0) and source[0] in self._server.expects:
            self.probed(0, source)

    def handle(self, event: ClientEvent | ServerEvent) -> None:
        """An event of the waiting side's own."""
        if isinstance(event, Say):
            event.tag(event.sealed, self._sockets.get(event.socket))
        elif isinstance(event, GaveUp):
            self.close()
