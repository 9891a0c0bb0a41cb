"""Waiting for connections through the DHT.

A first handshake message is untrusted: anybody can send one, from any address, and say anything
about where answers should go. Until the other side has shown, on the stream itself, that it has the
keys, it costs us a place among at most 256 (see `HandshakeTable`), and never a socket of its own,
nor a dial to somebody it names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.crypto import KeyPair, blake2b
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.handshake_messages import Handshake, Holepunch, PeerError
from holdfast.dht.handshake_table import HandshakeLimits, HandshakeTable
from holdfast.dht.nat import Firewall
from holdfast.dht.noise_payload import VERSION, HolepunchInfo, NoisePayload, UdxInfo
from holdfast.dht.relaying import Respond
from holdfast.dht.request import Request
from holdfast.errors import HoldfastError, ListenError
from holdfast.net.address import Address
from holdfast.net.connection import Connection
from holdfast.net.dht.announcer import Announcer
from holdfast.net.dht.incoming import Incoming
from holdfast.net.dht.local_addresses import local_addresses
from holdfast.net.dht.socket_pool import pool_of
from holdfast.net.limits import source_of
from holdfast.net.udp.socket import UdpSocket

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

Addr = tuple[str, int]
AdmitKey = Callable[[bytes], None]

log = logging.getLogger(__name__)


class DhtServer:
    """A key that can be dialled through the DHT; made by `listen`."""

    def __init__(
        self,
        dht: DhtNode,
        key_pair: KeyPair,
        on_open: Callable[[Connection], None],
        *,
        admit: AdmitKey | None,
        limits: HandshakeLimits | None,
    ) -> None:
        self.dht, self.key_pair = dht, key_pair
        self.target = blake2b(key_pair.public_key)
        self.on_open = on_open
        self.announcer = Announcer(dht, key_pair)
        self.handshakes: HandshakeTable[Incoming] = HandshakeTable(limits)
        """The unfinished ones."""
        self.closed = False
        self.pool = pool_of(dht)
        self._admit = admit
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._unhear = self.pool.hear(self._probed)

    @classmethod
    async def listen(
        cls,
        dht: DhtNode,
        key_pair: KeyPair,
        on_open: Callable[[Connection], None],
        *,
        admit: AdmitKey | None = None,
        limits: HandshakeLimits | None = None,
        announce: bool = True,
    ) -> DhtServer:
        """Wait for connections to ``key_pair``; each goes to ``on_open`` once it is open.

        ``admit`` gets the key that a client shows before it gets any answer, and raises a
        HoldfastError to refuse. Without ``announce`` nobody is told: only who asks this very node
        finds it. Raises `ListenError` when the key is served here already.
        """
        server = cls(dht, key_pair, on_open, admit=admit, limits=limits)
        if dht.relaying.is_served(server.target):
            raise ListenError("This key waits for connections on this DHT node already.")
        dht.relaying.serve(server.target, server.announcer.record, server)
        if announce:
            try:
                await server.announcer.start()
            except BaseException:
                await server.close()
                raise
        return server

    @property
    def relay_addresses(self) -> list[Address]:
        """DHT nodes through which this server is called: worth telling those who look for it."""
        return self.announcer.relay_addresses

    async def close(self) -> None:
        """Take no more connections and be forgotten; open ones stay. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._unhear()
        if self._timer is not None:
            self._timer.cancel()
        self.dht.relaying.stop_serving(self.target)
        for incoming in list(self.handshakes):
            incoming.give_up()
        await self.announcer.close()

    # -- handshakes -----------------------------------------------------------------------------

    def on_handshake(self, message: Handshake, request: Request, respond: Respond) -> None:
        """A client wants to connect; it may never get an answer."""
        known = self.handshakes.find(message.noise)
        if known is not None:
            respond(known.reply, None)
            return
        now = self._loop.time()
        source = self._source(message, request)
        if self.closed or not self.handshakes.allow(source, now):
            return
        handshake = PeerHandshake(self.key_pair)
        try:
            payload = handshake.read(message.noise)
            if self._admit is not None:
                self._admit(handshake.remote_public_key)
        except HoldfastError as error:
            log.debug("a handshake was refused: %s", error)
            return
        if payload.version != VERSION or payload.udx is None:
            wrong = payload.version != VERSION
            code = PeerError.VERSION_MISMATCH if wrong else PeerError.ABORTED
            respond(handshake.write(NoisePayload(error=code)), None)
            return
        incoming = Incoming(self, handshake, payload)
        key = handshake.remote_public_key
        incoming.number, gone = self.handshakes.add(message.noise, source, key, incoming, now)
        for each in gone:
            each.give_up()
        incoming.reply = handshake.write(self._hello(incoming))
        respond(incoming.reply, None)
        self._arm()
        if message.peer_address is not None and payload.firewall == Firewall.OPEN:
            incoming.connect(self.dht.socket, message.peer_address)

    def _source(self, message: Handshake, request: Request) -> str:
        """Who is charged for it: our own relays are believed when they say who asks."""
        client, sender = message.peer_address, request.from_addr
        if client is not None and self.announcer.is_relay(sender):
            return source_of(client[0])
        return source_of(sender[0])

    def _hello(self, incoming: Incoming) -> NoisePayload:
        ours = self.dht.remote_address()
        addresses: list[Addr] = [] if ours is None else [ours]
        addresses += local_addresses(self.dht.host, self.dht.port)
        relays = self.announcer.relay_addresses
        return NoisePayload(
            firewall=Firewall.UNKNOWN if ours is None else Firewall.OPEN,
            holepunch=(
                HolepunchInfo(incoming.number, self.announcer.relays) if ours is None else None
            ),
            addresses=addresses,
            udx=UdxInfo(incoming.stream.id),
            relay_addresses=[(each.host, each.port) for each in relays] or None,
        )

    def _arm(self) -> None:
        """Be there when the next unfinished handshake has had its time."""
        if self._timer is None and (due := self.handshakes.deadline()) is not None:
            self._timer = self._loop.call_at(due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for incoming in self.handshakes.expire(self._loop.time()):
            incoming.give_up()
        self._arm()

    # -- hole punching --------------------------------------------------------------------------

    def on_holepunch(self, message: Holepunch, request: Request, respond: Respond) -> None:
        """A client whose handshake we have answered speaks of hole punching."""
        incoming = self.handshakes.get(message.id)
        if incoming is not None and message.peer_address is not None and not self.closed:
            ours = self.announcer.is_relay(request.from_addr)
            incoming.asked(message.payload, message.peer_address, ours, respond)

    def _probed(self, socket: UdpSocket, source: Addr) -> None:
        for incoming in self.handshakes:
            if incoming.punching is not None:
                incoming.punching.shared_probe(socket, source)
