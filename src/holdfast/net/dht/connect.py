"""Dialling a public key through the DHT: handshake by way of its relays, then the shortest path.

The handshake goes in packets that DHT nodes carry; when its answer is here, both keys are proven
and the two ends of a stream know each other. What is left is a way for the stream: straight to a
server that is open or sees us directly, over the network that both are in, or through the NATs
between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.crypto import KeyPair, blake2b, random_bytes
from holdfast.dht.commands import PING
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.ipv4 import is_private, is_usable, nearest
from holdfast.dht.nat import Firewall
from holdfast.dht.noise_payload import NoisePayload, UdxInfo
from holdfast.dht.punch_client import PunchClient
from holdfast.dht.secure_payload import SecurePayload
from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net.address import Address
from holdfast.net.connection import Admit, Connection
from holdfast.net.dht.local_addresses import local_addresses
from holdfast.net.dht.meeting import Met, meet
from holdfast.net.dht.punching import ClientPunching, below
from holdfast.net.dht.socket_pool import pool_of
from holdfast.net.udp.socket import UdpSocket
from holdfast.net.udp.transport import UdxTransport

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

CONNECT_TIMEOUT = 20.0
"""Seconds for all of it: a search, a handshake, and a hole punched between two steady NATs."""
RANDOM_PUNCH_TIME = 40.0
"""Seconds more, once it is known that one NAT changes ports: that takes up to 35."""
PASSIVE_TIME = 10.0
"""Seconds that a server behind a NAT has to reach us, if we are open: as in the peers."""
LAN_TIME = 1.0
"""Seconds for somebody in our own network to answer."""

_HINT = "It may be offline, or not let this node connect."


async def dht_connect(
    dht: DhtNode,
    public_key: bytes,
    key_pair: KeyPair,
    *,
    relay_addresses: Sequence[tuple[str, int]] = (),
    admit: Admit | None = None,
    on_open: Admit | None = None,
    timeout: float = CONNECT_TIMEOUT,
) -> Connection:
    """The connection with the holder of ``public_key``, open; ``route`` says how it goes.

    ``relay_addresses`` are DHT nodes that may know it, asked before any search. ``admit`` and
    ``on_open`` as in `Connection`. Raises `PeerUnreachable` with the reason, `HandshakeError`.
    """
    dial = _Dial(dht, public_key, key_pair, admit, on_open)
    try:
        async with asyncio.timeout(timeout) as limit:
            return await dial.run(list(relay_addresses), limit)
    except TimeoutError:
        raise PeerUnreachable(dial.where, _HINT) from None
    finally:
        dial.finish()


class _Dial:
    """One attempt."""

    def __init__(
        self,
        dht: DhtNode,
        public_key: bytes,
        key_pair: KeyPair,
        admit: Admit | None,
        on_open: Admit | None,
    ) -> None:
        self.where = "The peer was not found in the DHT in time."
        """How far it has come, as a sentence for whoever loses patience."""
        self._dht = dht
        self._pool = pool_of(dht)
        self._key_pair = key_pair
        self._target = blake2b(public_key)
        self._handshake = PeerHandshake(key_pair, public_key)
        self._admit, self._on_open = admit, on_open
        self._loop = asyncio.get_running_loop()
        self._stream: UdxTransport = dht.socket.stream(on_first_packet=self._first_packet)
        self._path: asyncio.Future[tuple[UdpSocket, tuple[str, int], str]]
        self._path = self._loop.create_future()
        self._punching: ClientPunching | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: Connection | None = None

    async def run(self, relays: list[tuple[str, int]], limit: asyncio.Timeout) -> Connection:
        """The connection, open."""
        met = await meet(self._dht, self._target, self._handshake, self._hello(), relays)
        assert met.payload.udx is not None
        self.where = "The peer was found, but no packet came through to it in time."
        if not self._path.done():
            self._find_path(met, limit)
        socket, address, route = await self._path
        if self._punching is not None:
            self._punching.close(keep=socket)
        return await self._open(met, met.payload.udx.id, socket, address, route)

    def finish(self) -> None:
        """Leave nothing behind but the connection, if there is one."""
        for task in self._tasks:
            task.cancel()
        connection = self._connection
        if connection is None or not connection.opened:
            if self._punching is not None:
                self._punching.close()
            if connection is not None:
                connection.abort(PeerUnreachable("Dialling was stopped."))
            drop(self._stream)

    def _hello(self) -> NoisePayload:
        ours = self._dht.remote_address()
        addresses: list[tuple[str, int]] = [] if ours is None else [ours]
        addresses += local_addresses(self._dht.host, self._dht.port)
        return NoisePayload(
            firewall=Firewall.UNKNOWN if ours is None else Firewall.OPEN,
            addresses=addresses,
            udx=UdxInfo(self._stream.id),
        )

    # -- ways -----------------------------------------------------------------------------------

    def _found(self, socket: UdpSocket, address: tuple[str, int], route: str) -> None:
        if not self._path.done():
            self._path.set_result((socket, address, route))

    def _lost(self, error: HoldfastError) -> None:
        if not self._path.done():
            self._path.set_exception(error)

    def _first_packet(self, socket: UdpSocket, address: tuple[str, int]) -> bool:
        """The server has reached us."""
        if self._path.done():
            return False
        self._found(socket, address, "direct" if self._punching is None else "punched")
        return True

    def _find_path(self, met: Met, limit: asyncio.Timeout) -> None:
        payload = met.payload
        holepunch = payload.holepunch
        can_punch = holepunch is not None and bool(holepunch.relays)
        if not met.relayed:
            self._found(self._dht.socket, met.server_address, "direct")
        elif payload.firewall == Firewall.OPEN or not (can_punch or self._same_network(met)):
            self._found(self._dht.socket, _open_address(met), "direct")
        elif self._dht.remote_address() is not None:
            self._spawn(self._wait_passively())
        else:
            if self._same_network(met):
                self._spawn(self._try_lan(met, only=not can_punch))
            if can_punch:
                self._spawn(self._punch(met, limit))

    def _same_network(self, met: Met) -> bool:
        """Whether the outside sees both of us at one address."""
        return met.client_address[0] == met.server_address[0]

    async def _wait_passively(self) -> None:
        await asyncio.sleep(PASSIVE_TIME)
        self._lost(PeerUnreachable("The peer is behind a NAT and did not reach this node.", _HINT))

    async def _try_lan(self, met: Met, *, only: bool) -> None:
        ours = local_addresses(self._dht.host, self._dht.port)
        theirs = [each for each in met.payload.addresses if is_usable(each)]
        address = nearest(ours, theirs) or next(iter(theirs), None)
        try:
            if address is None:
                raise PeerUnreachable("The peer has told no address in this network.", _HINT)
            socket = self._dht.server_socket
            await self._dht.request(
                address, PING, internal=True, socket=socket, timeout=LAN_TIME, retries=1
            )
            self._found(socket, address, "lan")
        except HoldfastError as error:
            if only:
                self._lost(error)

    async def _punch(self, met: Met, limit: asyncio.Timeout) -> None:
        holepunch = met.payload.holepunch
        assert holepunch is not None
        try:
            socket = await self._pool.open(lambda source: None)
        except HoldfastError as error:
            self._lost(error)
            return
        machine = PunchClient(
            SecurePayload(self._handshake.holepunch_secret, random_bytes),
            server=met.server_address,
            relay=met.relay,
            server_relays=holepunch.relays,
            remote_firewall=met.payload.firewall,
            budget=self._pool.random_punches,
            below=below,
            firewalled=self._dht.firewalled,
            now=self._loop.time(),
        )
        punching = ClientPunching(self._dht, machine, socket, self._target, holepunch.id)
        self._punching = punching
        punching.on_random = lambda: _extend(limit)
        try:
            self._found(*await punching.met, "punched")
        except HoldfastError as error:
            self._lost(error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the connection -------------------------------------------------------------------------

    async def _open(
        self, met: Met, remote_id: int, socket: UdpSocket, address: tuple[str, int], route: str
    ) -> Connection:
        connection = Connection(
            True,
            self._key_pair,
            on_open=self._on_open,
            idle_timeout=None,  # a dead peer acknowledges nothing: the stream itself finds out
            result=self._handshake.result,
            route=route,
        )
        connection.relay_addresses = tuple(Address(*each) for each in met.relays)
        self._connection = connection
        if self._admit is not None:
            self._admit(connection)
        release_with(connection, lambda: self._pool.release(socket))
        self._stream.set_protocol(connection)
        self._stream.connect(socket, remote_id, address)
        await connection.wait_open()
        return connection


def drop(stream: UdxTransport) -> None:
    """End a stream; one that was never connected is forgotten at once: nobody has to be told."""
    stream.abort()
    if stream.socket is None:
        stream.forget()


def release_with(connection: Connection, release: Callable[[], None]) -> None:
    """Call ``release`` once the last packet of a connection has left."""

    async def wait() -> None:
        await connection.wait_closed()
        release()

    task = asyncio.ensure_future(wait())
    _releasing.add(task)
    task.add_done_callback(_releasing.discard)


_releasing: set[asyncio.Task[None]] = set()


def _extend(limit: asyncio.Timeout) -> None:
    when = limit.when()
    if when is not None and not limit.expired():
        limit.reschedule(when + RANDOM_PUNCH_TIME)


def _open_address(met: Met) -> tuple[str, int]:
    """Of an open server the address that it says, if that is one of the whole internet."""
    public = (each for each in met.payload.addresses if not is_private(each[0]))
    return next((each for each in public if is_usable(each)), met.server_address)
