"""Finding others by topic or by key, and keeping connections with them.

The rules are in `Crowd` (whom to dial when), `Ladder` (which way first) and `Peers` (one connection
for each key); this file gives them a clock and sockets. Private by default: nothing is told to
anybody before a `Swarm.join` with ``announce=True``, and nothing asked before one with ``lookup``.
"""

from __future__ import annotations

import asyncio
import random as chance
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from holdfast.errors import ClosedError
from holdfast.net.peers import Peers
from holdfast.net.swarm.address_book import AddressBook
from holdfast.net.swarm.candidate import Candidate, Finder, RelayDialer
from holdfast.net.swarm.directory import SwarmDht
from holdfast.net.swarm.discovery import Discovery
from holdfast.net.swarm.explain import explain
from holdfast.net.swarm.joined import Joined
from holdfast.net.swarm.known import SwarmLimits
from holdfast.net.swarm.reaching import Reaching
from holdfast.net.swarm.trace import FOUND, Step

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

GOODBYE = 3.0
"""Seconds that `Swarm.close` takes announcements back: nodes that are gone are not waited for."""


class Swarm(Reaching):
    """The topics of a node, and everybody who was found for them."""

    def __init__(
        self,
        peers: Peers,
        *,
        dht: DhtNode | None = None,
        finders: Sequence[Finder] = (),
        book: AddressBook | None = None,
        relays: RelayDialer | None = None,
        limits: SwarmLimits | None = None,
        random: Callable[[], float] = chance.random,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """``peers`` holds the connections; it and ``dht`` go on after `close`."""
        self.finders = list(finders)
        self.on_found: Callable[[bytes, bytes], object] = lambda topic, key: None
        """Hears ``(topic, public key)`` of everybody who may have what a topic stands for."""
        self._random = random
        self._topics: dict[bytes, Discovery] = {}
        self._joined: dict[bytes, list[Joined]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        super().__init__(
            peers,
            dht=SwarmDht(dht, peers, on_event=self._network) if dht is not None else None,
            book=book,
            relays=relays,
            limits=limits,
            random=random,
            clock=clock,
        )

    # -- topics ---------------------------------------------------------------------------------

    def join(
        self,
        topic: bytes,
        *,
        announce: bool,
        lookup: bool,
        candidates: Iterable[Candidate] = (),
    ) -> Joined:
        """Be found under a topic of 32 bytes, find others, or both.

        Peers that the book knows, and ``candidates`` (say from a link), are dialled at once.
        """
        if self.closed:
            raise ClosedError("The swarm is closed.")
        if len(topic) != 32:
            raise ValueError("a topic has 32 bytes")
        discovery = self._topics.get(topic)
        if discovery is None:
            discovery = self._topics[topic] = Discovery(
                topic,
                directory=self.dht,
                finders=self.finders,
                found=lambda candidate: self.found(topic, candidate),
                hungry=lambda: self._hungry(topic),
                random=self._random,
            )
        joined = Joined(discovery, announce=announce, lookup=lookup, changed=self._changed)
        self._joined.setdefault(topic, []).append(joined)
        self.crowd.join(topic)
        known = self.book.known(topic) if lookup else []
        for candidate in [*candidates, *known]:
            self.found(topic, candidate)
        self._changed(joined)
        return joined

    def _changed(self, joined: Joined) -> None:
        topic = joined.topic
        wishes = [each for each in self._joined.get(topic, ()) if not each.left]
        self._joined[topic] = wishes
        discovery = self._topics[topic]
        if wishes:
            announce = any(each.announce for each in wishes)
            discovery.change(announce=announce, lookup=any(each.lookup for each in wishes))
            return
        del self._topics[topic], self._joined[topic]
        self.crowd.leave(topic)
        task = asyncio.ensure_future(discovery.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @property
    def topics(self) -> list[bytes]:
        """Topics that are joined."""
        return list(self._topics)

    def found(self, topic: bytes, candidate: Candidate) -> None:
        """Somebody may have a topic: for finders, and for addresses from elsewhere."""
        now = self._clock()
        news = self.crowd.found(candidate, topic, now)
        if candidate.public_key in self.crowd.known:
            self.on_found(topic, candidate.public_key)
        peer = self.crowd.known.get(candidate.public_key)
        open_now = self.peers.get(candidate.public_key)
        if peer is not None and open_now is not None:
            self._keeping.reached(peer, open_now)
        elif news:
            where = ", ".join(map(str, candidate.addresses or candidate.relay_addresses))
            self.trace.add(Step(now, candidate.public_key, candidate.rung, FOUND, where=where))
            self._pump_soon()

    def _hungry(self, topic: bytes) -> bool:
        if self.crowd.connected(topic):
            return False
        self.crowd.again(topic, self._clock())
        self._pump_soon()
        return True

    def _network(self, event: str) -> None:
        """The DHT answers again, or sees this node somewhere else."""
        if event == "address":
            for connection in self.peers:
                connection.ping()  # those that the change has cut are found out sooner
        for discovery in self._topics.values():
            if discovery.rounds and (
                event == "address" or (event == "bootstrapped" and discovery.error is not None)
            ):
                discovery.refresh()

    def _lonely(self, topic: bytes) -> None:
        if topic in self._topics:
            self._topics[topic].starved()

    # -- facts and the end ----------------------------------------------------------------------

    def explain(self, topic: bytes) -> str:
        """One sentence on how far finding others for a topic has come."""
        return explain(self, topic)

    async def close(self) -> None:
        """Take announcements back, dial no more, write the book. Connections stay. Idempotent."""
        if self.closed:
            return
        await self._stop()
        discoveries, self._topics = list(self._topics.values()), {}
        try:
            async with asyncio.timeout(GOODBYE):
                await asyncio.gather(*(each.close() for each in discoveries), *self._closing)
                await asyncio.gather(*(finder.close() for finder in self.finders))
                if self.dht is not None:
                    await self.dht.close()
        except TimeoutError:
            pass  # what was announced is forgotten in 20 minutes anyway
        await self._keeping.close()
