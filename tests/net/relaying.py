"""A relay and nodes that have nothing but an outbound connection to it, on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from holdfast.crypto import KeyPair, key_pair
from holdfast.net.connection import Connection
from holdfast.net.dial import dial
from holdfast.net.listener import Listener, listen
from holdfast.net.relay.client import RelayClient
from holdfast.net.relay.dialer import RelayDialer
from holdfast.net.relay.finder import RelayFinder
from holdfast.net.relay.limits import RelayLimits
from holdfast.net.relay.link import RelayLink
from holdfast.net.relay.relays import Relays
from holdfast.net.relay.server import RelayServer
from holdfast.net.relay.stream import RelayedStream
from holdfast.net.websocket.dial import listen_websocket
from tests.net.loopback import Arrivals

RELAY, ALICE, BOB, CAROL, DAVE = (key_pair(bytes([n]) * 32) for n in range(1, 6))


class Relay:
    """A relay that listens for TCP and WebSockets."""

    def __init__(self, key: KeyPair = RELAY, **options: Any) -> None:
        self.key = key
        self.server = RelayServer(
            key.public_key, addresses=lambda: [str(a) for a in self.tcp.addresses], **options
        )
        self.connections: list[Connection] = []
        self.tcp: Listener
        self.web: Listener

    @property
    def address(self) -> str:
        return str(self.tcp.addresses[0])

    @property
    def url(self) -> str:
        return f"ws://{self.web.addresses[0]}/"

    async def listen(self, port: int = 0) -> None:
        self.tcp = await listen(f"127.0.0.1:{port}", self.key, self._opened)
        self.web = await listen_websocket("127.0.0.1:0", self.key, self._opened)

    def _opened(self, connection: Connection) -> None:
        self.connections.append(connection)
        self.server.attach(connection)

    async def close(self) -> None:
        await self.tcp.close()
        await self.web.close()
        await self.server.close()
        for connection in self.connections:
            connection.close()
            await connection.wait_closed()


@asynccontextmanager
async def relaying(key: KeyPair = RELAY, **options: Any) -> AsyncIterator[Relay]:
    """A relay on free ports."""
    relay = Relay(key, **options)
    await relay.listen()
    try:
        yield relay
    finally:
        await relay.close()


class Leaner:
    """A node that leans on relays."""

    def __init__(self, key: KeyPair, **options: Any) -> None:
        self.key = key
        self.arrivals = Arrivals()
        self.relays = Relays(key, on_open=self.arrivals, **options)
        self.dialer = RelayDialer(self.relays)
        self.finder = RelayFinder(self.relays)
        self.opened: list[Connection] = []

    async def lean(self, relay: str) -> RelayClient:
        client = self.relays.add(relay)
        await client.wait_connected(10)
        return client

    async def connect(self, other: KeyPair, **options: Any) -> Connection:
        connection = await self.dialer.connect(other.public_key, **options)
        self.opened.append(connection)
        return connection

    async def close(self) -> None:
        await self.finder.close()
        await self.relays.close()


@asynccontextmanager
async def leaning(key: KeyPair, *relays: str, **options: Any) -> AsyncIterator[Leaner]:
    """A node that leans on some relays."""
    node = Leaner(key, **options)
    try:
        for relay in relays:
            await node.lean(relay)
        yield node
    finally:
        await node.close()


@asynccontextmanager
async def linked(
    relay: Relay, key: KeyPair, incoming: Callable[[RelayedStream], None] | None = None
) -> AsyncIterator[RelayLink]:
    """A bare link: the protocol without anything kept or retried."""
    connection = await dial(relay.address, key)
    link = RelayLink(
        connection,
        on_incoming=incoming or (lambda stream: None),
        on_peers=lambda topic, keys: None,
    )
    await link.wait_open()
    try:
        yield link
    finally:
        connection.close()
        await connection.wait_closed()


class Sink(asyncio.Protocol):
    """Counts what comes."""

    def __init__(self, *, stays: bool = False) -> None:
        self.stays = stays
        self.data = bytearray()
        self.ended = asyncio.Event()
        self.eof = asyncio.Event()
        self.error: Exception | None = None
        self.paused = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.eof.set()
        return self.stays

    def connection_lost(self, error: Exception | None) -> None:
        self.error = error
        self.ended.set()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False


def small(**limits: Any) -> RelayLimits:
    """A relay with some limits of its own."""
    return RelayLimits(**limits)


async def eventually(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask over the network until the answer is not empty."""
    async with asyncio.timeout(20):
        while not await ask():  # noqa: ASYNC110 - an answer of others, no event
            await asyncio.sleep(0.01)
