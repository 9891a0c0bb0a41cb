"""Finding the peers of a topic at relays: those we lean on, and those where somebody announced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from holdfast.errors import UnavailableError
from holdfast.net.relay.client import RelayClient
from holdfast.net.relay.relays import Relays
from holdfast.net.relay.wire import ANNOUNCE, ASK_TOPIC, LOOKUP, relay_topic
from holdfast.net.swarm.candidate import RELAY, Candidate, Found

FIRST_PAUSE = 5.0
"""Seconds until other relays of a topic are searched for again; doubles with each search."""
LONGEST_PAUSE = 600.0
"""Seconds between two searches at most (the pause of a DHT refresh)."""
MAX_RELAYS = 4
"""Relays joined for one topic beside our own: more of them hardly know more peers."""

log = logging.getLogger(__name__)


class RelayFinder:
    """A `Finder` that asks relays. Topics are hashed: a relay can match them, not use them."""

    place = "the relays"
    """Where it asks, for people."""

    def __init__(self, relays: Relays, *, first_pause: float = FIRST_PAUSE) -> None:
        self._relays = relays
        self._first_pause = first_pause
        self._announced: set[bytes] = set()
        self._sought: dict[bytes, list[Found]] = {}
        self._joined: dict[bytes, dict[RelayClient, None]] = {}
        self._searches: dict[bytes, asyncio.Task[None]] = {}
        relays.on_peers(self._peers)
        relays.on_arrival(self._arrived)

    def announce(self, topic: bytes) -> None:
        """Tell it from now on."""
        self._announced.add(relay_topic(topic))
        self._update(relay_topic(topic))

    def unannounce(self, topic: bytes) -> None:
        """Stop telling it."""
        self._announced.discard(relay_topic(topic))
        self._update(relay_topic(topic))

    def lookup(self, topic: bytes, found: Found) -> Callable[[], None]:
        """Call ``found`` for everybody who has it, now and later; returns how to stop that."""
        hashed = relay_topic(topic)
        self._sought.setdefault(hashed, []).append(found)
        self._update(hashed)
        for client in self._clients(hashed):
            if client.link is not None:
                client.link.join(hashed, self._flags(hashed))  # it names everybody again
        if hashed not in self._searches:
            self._searches[hashed] = asyncio.ensure_future(self._search(hashed))

        def stop() -> None:
            callbacks = self._sought.get(hashed, [])
            if found in callbacks:
                callbacks.remove(found)
            if not callbacks and self._sought.pop(hashed, None) is not None:
                self._searches.pop(hashed).cancel()
                self._update(hashed)

        return stop

    async def close(self) -> None:
        """Tell and hear nothing any more."""
        searches = list(self._searches.values())
        self._searches.clear()
        for task in searches:
            task.cancel()
        await asyncio.gather(*searches, return_exceptions=True)
        topics = {*self._announced, *self._sought}
        self._announced.clear()
        self._sought.clear()
        for topic in topics:
            self._update(topic)

    # -- inside -----------------------------------------------------------------------------------

    def _flags(self, topic: bytes) -> int:
        announced = ANNOUNCE if topic in self._announced else 0
        return announced | (LOOKUP if topic in self._sought else 0)

    def _clients(self, topic: bytes) -> list[RelayClient]:
        """The relays of a topic: those that hold us, and those found for it."""
        joined = self._joined.get(topic, {})
        for client in [client for client in joined if client not in self._relays.clients]:
            del joined[client]
        return list({**dict.fromkeys(self._relays.holding), **joined})

    def _update(self, topic: bytes) -> None:
        flags = self._flags(topic)
        for client in self._clients(topic):
            if flags:
                client.join(topic, flags)
            else:
                client.leave(topic)
                self._relays.release(client)
        if not flags:
            self._joined.pop(topic, None)

    def _arrived(self, client: RelayClient) -> None:
        for topic in {*self._announced, *self._sought}:
            client.join(topic, self._flags(topic))

    def _peers(self, topic: bytes, keys: list[bytes]) -> None:
        for key in keys:
            if key != self._relays.key_pair.public_key:
                for found in list(self._sought.get(topic, ())):
                    found(Candidate(key, rung=RELAY))

    async def _search(self, topic: bytes) -> None:
        """Look for relays where the topic is announced, and join it there."""
        pause = self._first_pause
        while True:
            await self._search_once(topic)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _search_once(self, topic: bytes) -> None:
        for place in await self._relays.find(ASK_TOPIC, topic):
            self._clients(topic)  # forgets those that were left
            if len(self._joined.get(topic, ())) >= MAX_RELAYS:
                return
            try:
                client = await self._relays.reach(place)
            except UnavailableError as error:
                log.info("a relay of a topic cannot be used: %s", error)
                continue
            self._joined.setdefault(topic, {})[client] = None
            client.join(topic, self._flags(topic))
