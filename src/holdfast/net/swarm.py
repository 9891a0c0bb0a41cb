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

from holdfast.errors import ClosedError, DecodeError, HoldfastError, InvalidProof, NotAllowedError
from holdfast.net.address_book import AddressBook
from holdfast.net.candidate import Candidate, Finder, RelayDialer
from holdfast.net.connection import Connection
from holdfast.net.crowd import Crowd
from holdfast.net.dialling import Dialling
from holdfast.net.discovery import Discovery
from holdfast.net.explain import explain
from holdfast.net.joined import Joined
from holdfast.net.keeping import Keeping
from holdfast.net.known import Known, SwarmLimits
from holdfast.net.ladder import Way
from holdfast.net.peers import DuplicateError, Peers
from holdfast.net.swarm_dht import SwarmDht
from holdfast.net.trace import CLOSED, FOUND, INCOMING, OPENED, Step, Trace

if TYPE_CHECKING:
    from holdfast.net.dht_node import DhtNode

LET_GO = 60.0
"""Seconds before we dial somebody again on whom we hung up for having too many."""


class SurplusError(ClosedError):
    """There are more connections than may be, and others are needed more."""

    code = "surplus"


class Swarm:
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
        self.peers = peers
        self.book = book if book is not None else AddressBook()
        self.trace = Trace()
        self.on_found: Callable[[bytes, bytes], object] = lambda topic, key: None
        """Hears ``(topic, public key)`` of everybody who may have what a topic stands for."""
        self.dht = SwarmDht(dht, peers) if dht is not None else None
        self.finders = list(finders)
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._random = random
        self.crowd = Crowd(peers.key_pair.public_key, limits, random=random)
        self._keeping = Keeping(self.book)
        self._topics: dict[bytes, Discovery] = {}
        self._joined: dict[bytes, list[Joined]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._dialling = Dialling(
            peers,
            dht=self.dht,
            relays=relays,
            trace=self.trace,
            clock=self._clock,
            limit=self.crowd.limits.dial_time,
            over=self._over,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._pump_due = False
        self._closed = False
        peers.gate = self._gate
        self._unwatch = peers.watch(self._opened)
        for connection in peers:
            self._opened(connection)

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
        if self._closed:
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

    # -- peers ----------------------------------------------------------------------------------

    def join_peer(self, public_key: bytes, candidate: Candidate | None = None) -> None:
        """Keep a connection with the holder of a key, whatever the limits, until `leave_peer`."""
        self.crowd.ask_for(public_key, True)
        peer = self.crowd.known.get(public_key)
        if peer is not None and candidate is not None:
            peer.learn(candidate)
        self._pump_soon()

    def leave_peer(self, public_key: bytes) -> None:
        """Do not insist on this peer any more; a connection there is stays."""
        self.crowd.ask_for(public_key, False)

    async def reach(self, public_key: bytes, *, timeout: float = 30.0) -> Connection | None:
        """The connection with the holder of a key, or None when there is none in time.

        A peer that is away is no error: why it was not reached is in the `trace`.
        """
        there = self.peers.get(public_key)
        banned = self.crowd.bans.banned(public_key, self._clock())
        if there is not None or self._closed or banned:
            return there
        peer = self.crowd.known.get(public_key) or Known(public_key)
        climb = self._dialling.begin(peer)
        return await self._dialling.wait(public_key, climb, timeout)

    def ban(self, public_key: bytes, seconds: float | None = None) -> None:
        """Hang up on the holder of a key, and neither dial nor take it; None: until `unban`."""
        self.crowd.ban(public_key, self._clock(), seconds)
        connection = self.peers.get(public_key)
        if connection is not None:
            connection.close(NotAllowedError("This peer is banned."))

    def unban(self, public_key: bytes) -> None:
        """Let the holder of a key come back."""
        self.crowd.bans.lift(public_key)
        self._pump_soon()

    def _gate(self, key: bytes) -> None:
        if not self.crowd.may_take(key, self._clock()):
            raise NotAllowedError("This node takes no connection from this peer now.")

    # -- dialling -------------------------------------------------------------------------------

    def _pump_soon(self) -> None:
        if not self._pump_due and not self._closed:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Dial whom the rules say, and look again when the next is due."""
        self._pump_due = False
        if self._closed:
            return
        now = self._clock()
        for peer in self.crowd.to_dial(now):
            self.crowd.began(peer.key)
            self._dialling.begin(peer)
        if self._timer is not None:
            self._timer.cancel()
        due = self.crowd.deadline(now)
        self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(max(0.0, due - now), self._pump_soon)

    def _over(self, peer: Known, way: Way | None, connection: Connection | None) -> None:
        """A climb has ended."""
        if connection is None:
            self.crowd.failed(peer.key, self._clock())
        elif way is not None:
            peer.via = way.rung
            self._keeping.reached(peer, connection)
        self._pump_soon()

    # -- connections ----------------------------------------------------------------------------

    def _opened(self, connection: Connection) -> None:
        key, now = connection.remote_public_key, self._clock()
        self.crowd.opened(key, now)
        if not connection.is_initiator:
            where = str(connection.remote_address or "")
            self.trace.add(Step(now, key, INCOMING, OPENED, where=where))
        connection.on_close(lambda reason: self._lost(connection, now, reason))
        for surplus in self.crowd.to_drop():
            victim = self.peers.get(surplus)
            if victim is not None:
                victim.close(SurplusError("There are others who are needed more."))
        self._pump_soon()

    def _lost(self, connection: Connection, since: float, reason: HoldfastError) -> None:
        key, now = connection.remote_public_key, self._clock()
        if isinstance(reason, DuplicateError) or self.peers.get(key) not in (None, connection):
            return
        self.trace.add(Step(now, key, "", CLOSED, now - since, reason=reason.message))
        peer = self.crowd.known.get(key)
        topics = list(peer.topics) if peer is not None else []
        strike = isinstance(reason, DecodeError | InvalidProof)
        pause = LET_GO if isinstance(reason, SurplusError) else 0.0
        self.crowd.closed(key, now, pause=pause, strike=strike)
        for topic in topics:
            if topic in self._topics and not self.crowd.connected(topic):
                self._topics[topic].starved()
        self._pump_soon()

    # -- facts and the end ----------------------------------------------------------------------

    def explain(self, topic: bytes) -> str:
        """One sentence on how far finding others for a topic has come."""
        return explain(self, topic)

    async def close(self) -> None:
        """Take announcements back, dial no more, write the book. Connections stay. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._unwatch()
        self.peers.gate = None
        if self._timer is not None:
            self._timer.cancel()
        await self._dialling.close()
        discoveries, self._topics = list(self._topics.values()), {}
        await asyncio.gather(*(each.close() for each in discoveries), *self._closing)
        await asyncio.gather(*(finder.close() for finder in self.finders))
        if self.dht is not None:
            await self.dht.close()
        await self._keeping.close()
