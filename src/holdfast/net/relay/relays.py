"""The relays a node leans on: kept, found when none was named, and left again.

A node that cannot be dialled keeps a connection with a few relays, so that others can open streams
to it. Those it was told of come first; more are found through a directory (the DHT, or a relay that
asks the DHT). It says in a signed record which relays hold it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from holdfast.crypto import KeyPair, blake2b
from holdfast.errors import HoldfastError, UnavailableError
from holdfast.net.connection import Admit, Connection
from holdfast.net.relay.client import RelayClient
from holdfast.net.relay.directory import Directory, find_first
from holdfast.net.relay.records import LIFETIME, make_record
from holdfast.net.relay.stream import RelayedStream
from holdfast.net.relay.wire import ASK_RELAYS, Place
from holdfast.net.websocket.dial import dial_any

WANTED = 2
"""Relays that hold a node which cannot be dialled: one may go while the other stays."""
MAX_CLIENTS = 16
"""Relays at once, those for a single peer or topic included."""
PATIENCE = 10.0
"""Seconds for reaching a relay."""
SETTLE_PAUSE = 60.0
"""Seconds between looks at whether there are enough relays."""
REPUBLISH = LIFETIME / 3
"""Seconds after which the record is published anew."""

Dial = Callable[[str, bytes | None], Awaitable[Connection]]
Publish = Callable[[bytes], object]
Peers = Callable[[bytes, list[bytes]], None]


class Relays:
    """The relays a node leans on."""

    def __init__(
        self,
        key_pair: KeyPair,
        *,
        dial: Dial | None = None,
        admit: Admit | None = None,
        on_open: Admit | None = None,
        directory: Directory | None = None,
        publish: Publish | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``dial(address, expected key)`` reaches a relay. ``admit`` and ``on_open`` are for the
        connections that others open to us through one (as in `Connection`). ``publish`` keeps our
        record in the DHT; the relays do it where we cannot.
        """
        self.key_pair = key_pair
        self.clients: list[RelayClient] = []
        self._dial = dial or (lambda at, key: dial_any(at, key_pair, expected_key=key))
        self._admit, self._on_open = admit, on_open
        self._directory = directory
        self._publish = publish
        self._clock = clock
        self._kept: dict[RelayClient, None] = {}
        self._named: set[RelayClient] = set()
        self._watchers: list[Peers] = []
        self._arrivals: list[Callable[[RelayClient], None]] = []
        self._seq = 0
        self._said: tuple[Place, ...] = ()
        self._said_at = 0.0
        self._settling: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    # -- relays -----------------------------------------------------------------------------------

    def add(self, address: str, public_key: bytes | None = None) -> RelayClient:
        """Lean on the relay at an address (``HOST:PORT`` or a WebSocket URL) until told not to."""
        client = self._client(Place(public_key or b"", (address,)))
        self._kept[client] = None
        self._named.add(client)
        return client

    def _client(self, place: Place) -> RelayClient:
        for client in self.clients:
            if place.public_key and client.public_key == place.public_key:
                return client
            if client.address in place.addresses:
                return client
        if len(self.clients) >= MAX_CLIENTS:
            raise UnavailableError("Too many relays at once.")
        client = self._reach(place)
        self.clients.append(client)
        return client

    def _reach(self, place: Place) -> RelayClient:
        async def connect() -> Connection:
            failed: HoldfastError = UnavailableError("The relay has no address.")
            for address in place.addresses:
                try:
                    connection = await self._dial(address, place.public_key or None)
                except HoldfastError as error:
                    failed = error
                    continue
                client.address = address
                return connection
            raise failed

        client = RelayClient(
            connect,
            address=place.addresses[0] if place.addresses else "",
            on_incoming=self._incoming,
            on_peers=self._peers,
            on_change=self._changed,
            on_quiet=self.release,
        )
        return client

    async def reach(self, place: Place, *, timeout: float = PATIENCE) -> RelayClient:
        """A relay that answers, for as long as somebody uses it. Raises `UnavailableError`."""
        client = self._client(place)
        try:
            async with asyncio.timeout(timeout):
                await client.first_try()
        except TimeoutError:
            self.release(client)
            raise UnavailableError("The relay did not answer in time.") from None
        except HoldfastError:
            self.release(client)
            raise
        return client

    def release(self, client: RelayClient) -> None:
        """Leave a relay that nobody uses any more: no stream, no topic, and not one of ours."""
        if client in self._kept or client.streams or client.topics or client not in self.clients:
            return
        self._leave(client)

    def _leave(self, client: RelayClient) -> None:
        self.clients.remove(client)
        task = asyncio.ensure_future(client.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @property
    def holding(self) -> list[RelayClient]:
        """The relays over which others reach us now."""
        return [client for client in self._kept if client.connected]

    @property
    def directories(self) -> list[Directory]:
        """Whom to ask where relays are: our own directory, then our relays."""
        own = [self._directory] if self._directory is not None else []
        return [*own, *(client for client in self.clients if client.connected)]

    async def find(self, kind: int, key: bytes) -> list[Place]:
        """Ask the directories; this node itself left out."""
        places = await find_first(self.directories, kind, key)
        return [place for place in places if place.public_key != self.key_pair.public_key]

    # -- what happens -----------------------------------------------------------------------------

    def on_peers(self, callback: Peers) -> None:
        """Call back with ``(relay topic, keys)`` when a relay names the peers of a topic."""
        self._watchers.append(callback)

    def on_arrival(self, callback: Callable[[RelayClient], None]) -> None:
        """Call back with each relay that begins to hold us, or does so anew."""
        self._arrivals.append(callback)

    def _peers(self, topic: bytes, keys: list[bytes]) -> None:
        for watcher in self._watchers:
            watcher(topic, keys)

    def _changed(self, client: RelayClient) -> None:
        if client.connected and client in self._kept:
            self._arrived(client)
        self._stirred.set()

    def _arrived(self, client: RelayClient) -> None:
        for callback in self._arrivals:
            callback(client)

    def _incoming(self, stream: RelayedStream) -> None:
        """Somebody opens a stream to us; who it is, the handshake inside proves."""
        run_over(
            stream,
            Connection(
                False,
                self.key_pair,
                expected_key=stream.public_key,
                admit=self._admit,
                on_open=self._on_open,
            ),
        )

    # -- enough of them ---------------------------------------------------------------------------

    def settle(self, wanted: int = WANTED) -> None:
        """From now on see to it that so many relays hold us, and that others learn which."""
        if self._settling is None:
            self._settling = asyncio.ensure_future(self._settle(wanted))

    async def _settle(self, wanted: int) -> None:
        while True:
            self._stirred.clear()
            self._say()
            if len(self.holding) < wanted:
                await self._find_more(wanted)
                self._say()
            if len(self.holding) >= wanted:
                self._drop_lost()
            try:
                async with asyncio.timeout(SETTLE_PAUSE):
                    await self._stirred.wait()
            except TimeoutError:
                pass

    async def _find_more(self, wanted: int) -> None:
        own = self.key_pair.public_key
        places = await self.find(ASK_RELAYS, bytes(32))
        # Everybody finds the same ones, and should not lean on the same one.
        for place in sorted(places, key=lambda place: blake2b(own + place.public_key)):
            if len(self.holding) >= wanted:
                return
            try:
                client = await self.reach(place)
            except UnavailableError:
                continue
            self._kept[client] = None
            self._arrived(client)

    def _drop_lost(self) -> None:
        """Others hold us in place of relays that were found once and are gone."""
        for client in [each for each in self._kept if not each.connected]:
            if client not in self._named:
                del self._kept[client]
                self._leave(client)

    def _say(self) -> None:
        """Publish which relays hold us, when that has changed or is about to expire."""
        places = tuple(client.place for client in self.holding)
        now = self._clock()
        if places == self._said and now - self._said_at < REPUBLISH:
            return
        if not places and not self._said:
            return
        self._said, self._said_at = places, now
        self._seq = max(self._seq + 1, int(now * 1000))
        record = make_record(self.key_pair, places, self._seq, now).encode()
        if self._publish is not None:
            self._publish(record)
        else:
            for client in self.holding:
                client.publish(record)

    async def close(self) -> None:
        """Leave them all."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
        clients, self.clients = self.clients, []
        self._kept.clear()
        await asyncio.gather(*(client.close() for client in clients), *self._closing)


def run_over(stream: RelayedStream, connection: Connection) -> None:
    """Let a connection run over a relayed stream."""
    stream.on_failed = connection.abort
    connection.route = "relayed"
    stream.attach(connection)
