"""One client of a `DhtServer`, from the answer to its handshake to the open connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.crypto import random_bytes
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.noise_payload import NoisePayload
from holdfast.dht.punch_server import PunchServer
from holdfast.dht.relaying import Respond
from holdfast.dht.secure_payload import SecurePayload
from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net.connection import Connection
from holdfast.net.dht.connect import drop, release_with
from holdfast.net.dht.punching import ServerPunching, below
from holdfast.net.udp.socket import UdpSocket

if TYPE_CHECKING:
    from holdfast.net.dht.server import DhtServer

Addr = tuple[str, int]

PUNCH_TIME = 60.0
"""Seconds that a client keeps its place while it punches: 35 s of probes, and the talk before."""


class Incoming:
    """What a server keeps of a handshake: its answer, the stream that waits, perhaps a punch."""

    def __init__(self, server: DhtServer, handshake: PeerHandshake, payload: NoisePayload) -> None:
        self.number = 0
        """Under which the client speaks of it."""
        self.reply = b""
        """Our answer, for when the question comes again by another relay."""
        self.punching: ServerPunching | None = None
        self.connection: Connection | None = None
        self._server = server
        self._handshake, self._payload = handshake, payload
        self._loop = asyncio.get_running_loop()
        self.stream = server.dht.socket.stream(on_first_packet=self._first_packet)
        """Waits for the client's first packet, which shows where it is."""

    def give_up(self) -> None:
        """It has had its time, or makes room. Idempotent."""
        if self.connection is not None and self.connection.opened:
            return
        if self.punching is not None:
            self.punching.close()
        if self.connection is not None:
            self.connection.abort(PeerUnreachable("The client did not go on."))
        drop(self.stream)

    # -- the way --------------------------------------------------------------------------------

    def _first_packet(self, socket: UdpSocket, address: Addr) -> bool:
        if self.connection is not None:
            return False
        # Not from within the stream's own turn.
        self._loop.call_soon(self.connect, socket, address)
        return True

    def connect(self, socket: UdpSocket, address: Addr) -> None:
        """The client is there."""
        if self.connection is not None or self._server.closed or self.stream.is_closing():
            return
        assert self._payload.udx is not None
        connection = Connection(
            False,
            self._server.key_pair,
            on_open=self._opened,
            idle_timeout=None,  # a dead peer acknowledges nothing: the stream itself finds out
            result=self._handshake.result,
            route="direct" if self.punching is None else "punched",
        )
        self.connection = connection
        connection.on_close(self._closed)
        if self.punching is not None:
            self.punching.close(keep=socket)
            release_with(connection, lambda: self._server.pool.release(socket))
        self.stream.set_protocol(connection)
        self.stream.connect(socket, self._payload.udx.id, address)

    def _opened(self, connection: Connection) -> None:
        """The client has shown that it has the keys."""
        self._server.handshakes.opened(self.number)
        self._server.on_open(connection)

    def _closed(self, reason: HoldfastError) -> None:
        self._server.handshakes.remove(self.number)

    # -- hole punching --------------------------------------------------------------------------

    def asked(self, sealed: bytes, peer: Addr, from_our_relay: bool, respond: Respond) -> None:
        """A word about hole punching."""
        if self.connection is not None:
            return
        punching = self.punching
        if punching is None:
            punching = self._begin()
        if punching.asked(sealed, peer, from_our_relay, respond):
            self.punching = punching
            self._server.handshakes.extend(self.number, self._loop.time() + PUNCH_TIME)
        else:
            punching.close()

    def _begin(self) -> ServerPunching:
        dht = self._server.dht
        machine: PunchServer[Respond] = PunchServer(
            SecurePayload(self._handshake.holepunch_secret, random_bytes),
            nat=dht.nat.samples(firewalled=dht.firewalled),
            remote_firewall=self._payload.firewall,
            budget=self._server.pool.random_punches,
            below=below,
            now=self._loop.time(),
        )
        return ServerPunching(dht, machine, dht.socket)
