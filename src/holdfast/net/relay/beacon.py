"""Relays in the DHT: they say that they are there, whom they hold is found, and they find others.

Nobody has to be told of a relay: relays announce themselves under one topic, and under a hash of
each topic that somebody has announced at them. Where a relay is, and over which relays a peer is
reached, stands in a mutable record of the one it is about.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

from holdfast.crypto import KeyPair
from holdfast.dht.nat import Address as NodeAddress
from holdfast.dht.operations import Found
from holdfast.dht.records import Mutable
from holdfast.errors import DecodeError
from holdfast.net.relay.records import make_record, newer, places_of, read_record
from holdfast.net.relay.server import RelayServer
from holdfast.net.relay.upkeep import Upkeep
from holdfast.net.relay.wire import ASK_PEER, ASK_RELAYS, MAX_PLACES, RELAY_TOPIC, Place

MAX_RECORDS = 1024
"""Records of clients that a relay keeps in the DHT: about two for each it may have."""
MAX_ANNOUNCED = 512
"""Topics that a relay announces for its clients: some twenty packets each, every ten minutes."""


class Dht(Protocol):
    """What is needed of a `DhtNode`."""

    def lookup(self, topic: bytes) -> AsyncIterator[Found]:
        """Who has announced a topic."""

    async def announce(
        self, topic: bytes, key_pair: KeyPair, relay_addresses: Iterable[NodeAddress]
    ) -> object:
        """Announce a topic."""

    async def unannounce(self, topic: bytes, key_pair: KeyPair) -> object:
        """Take it back."""

    async def mutable_get(self, public_key: bytes) -> Mutable | None:
        """The latest record of somebody's."""

    async def mutable_put_signed(self, public_key: bytes, record: Mutable) -> object:
        """Have a record of anybody's kept, signed already."""


class DhtDirectory:
    """A `Directory` that asks the DHT; keeps records in it too."""

    def __init__(
        self, dht: Dht, *, clock: Callable[[], float] = time.time, upkeep: Upkeep | None = None
    ) -> None:
        self._dht = dht
        self._clock = clock
        self._upkeep = upkeep or Upkeep(most=MAX_RECORDS + MAX_ANNOUNCED + 2)
        self._records: dict[bytes, Mutable] = {}

    async def find(self, kind: int, key: bytes) -> list[Place]:
        """See `Directory`."""
        if kind == ASK_PEER:
            return await self._places(key)
        topic = RELAY_TOPIC if kind == ASK_RELAYS else key
        keys: dict[bytes, None] = {}
        async for found in self._dht.lookup(topic):
            keys.update(dict.fromkeys(peer.public_key for peer in found.peers))
            if len(keys) >= MAX_PLACES:
                break
        each = await asyncio.gather(*(self._places(key) for key in list(keys)[:MAX_PLACES]))
        # A relay's record names itself: what it says of others does not count here.
        return [
            place
            for key, places in zip(keys, each, strict=False)
            for place in places
            if place.public_key == key
        ]

    async def _places(self, public_key: bytes) -> list[Place]:
        record = newer(self._records.get(public_key), await self._dht.mutable_get(public_key))
        return places_of(record, self._clock())

    def publish(self, public_key: bytes, body: bytes) -> bool:
        """Keep a signed record in the DHT until `forget`; False when it does not count."""
        try:
            record = read_record(body, public_key)
        except DecodeError:
            return False
        known = self._records.get(public_key)
        if newer(known, record) is known or not places_of(record, self._clock()):
            return False
        return self._keep(public_key, record)

    def _keep(self, public_key: bytes, record: Mutable) -> bool:
        self._records[public_key] = record

        async def put() -> None:
            await self._dht.mutable_put_signed(public_key, record)

        if self._upkeep.keep((public_key, "record"), put):
            return True
        del self._records[public_key]
        return False

    def forget(self, public_key: bytes) -> None:
        """Keep somebody's record no longer; what is in the DHT expires."""
        self._records.pop(public_key, None)
        self._upkeep.drop((public_key, "record"))

    def announce(self, topic: bytes, keys: KeyPair) -> None:
        """Announce a topic until `unannounce`."""
        self._upkeep.keep(topic, lambda: self._dht.announce(topic, keys, ()))

    def unannounce(self, topic: bytes, keys: KeyPair) -> None:
        """Take it back."""
        self._upkeep.drop(topic, lambda: self._dht.unannounce(topic, keys))

    async def settled(self) -> None:
        """Return once everything so far is in the DHT, or could not be put there."""
        await self._upkeep.settled()

    async def close(self) -> None:
        """Keep nothing in the DHT any more."""
        await self._upkeep.close()


class RelayBeacon:
    """Says in the DHT that a relay is there, and what and whom it holds."""

    def __init__(
        self,
        server: RelayServer,
        directory: DhtDirectory,
        keys: KeyPair,
        *,
        clock: Callable[[], float] = time.time,
        pause: float = 600.0,
    ) -> None:
        """``keys`` are those of the relay. It renews its own record every ``pause`` seconds."""
        self._server, self._directory, self._keys = server, directory, keys
        self._clock, self._pause = clock, pause
        self._topics: set[bytes] = set()
        self._seq = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        server.on_record = directory.publish
        server.on_topic = self._topic
        server.on_guest = lambda key, here: None if here else directory.forget(key)
        self._directory.announce(RELAY_TOPIC, keys)
        self.renew()

    def renew(self) -> None:
        """Tell where the relay is, now and again and again; call when that has changed."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._pause, self.renew)
        now = self._clock()
        self._seq = max(self._seq + 1, int(now * 1000))
        places: Sequence[Place] = [self._server.place]
        record = make_record(self._keys, places, self._seq, now)
        self._directory.publish(self._keys.public_key, record.encode())

    def _topic(self, topic: bytes, announced: bool) -> None:
        if announced and len(self._topics) < MAX_ANNOUNCED:
            self._topics.add(topic)
            self._directory.announce(topic, self._keys)
        elif not announced and topic in self._topics:
            self._topics.discard(topic)
            self._directory.unannounce(topic, self._keys)

    def close(self) -> None:
        """Say it no longer."""
        if self._timer is not None:
            self._timer.cancel()
        for topic in [RELAY_TOPIC, *self._topics]:
            self._directory.unannounce(topic, self._keys)
        self._directory.forget(self._keys.public_key)
