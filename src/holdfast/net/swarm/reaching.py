"""Reaching peers by their keys: who is dialled when, and what becomes of the connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from holdfast.errors import ClosedError, DecodeError, HoldfastError, InvalidProof, NotAllowedError
from holdfast.net.connection import Connection
from holdfast.net.peers import DuplicateError, Peers
from holdfast.net.swarm.address_book import AddressBook
from holdfast.net.swarm.candidate import Candidate, RelayDialer
from holdfast.net.swarm.crowd import Crowd
from holdfast.net.swarm.dialling import Dialling
from holdfast.net.swarm.directory import SwarmDht
from holdfast.net.swarm.doubts import Doubts
from holdfast.net.swarm.keeping import Keeping
from holdfast.net.swarm.known import Known, SwarmLimits
from holdfast.net.swarm.ladder import Way
from holdfast.net.swarm.trace import CLOSED, INCOMING, OPENED, Step, Trace

LET_GO = 60.0
"""Seconds before we dial somebody again on whom we hung up for having too many."""


class SurplusError(ClosedError):
    """There are more connections than may be, and others are needed more."""

    code = "surplus"


class Reaching:
    """The peers that a swarm has heard of, and the dials to them. `Swarm` adds topics."""

    def __init__(
        self,
        peers: Peers,
        *,
        dht: SwarmDht | None,
        book: AddressBook | None,
        relays: RelayDialer | None,
        limits: SwarmLimits | None,
        random: Callable[[], float],
        clock: Callable[[], float] | None,
    ) -> None:
        self.peers = peers
        self.dht = dht
        self.book = book if book is not None else AddressBook()
        self.trace = Trace()
        self.crowd = Crowd(peers.key_pair.public_key, limits, random=random)
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._keeping = Keeping(self.book)
        self._dialling = Dialling(
            peers,
            dht=dht,
            relays=relays,
            trace=self.trace,
            clock=self._clock,
            limit=self.crowd.limits.dial_time,
            over=self._over,
        )
        self._doubts = Doubts(peers, self._redial)
        self._timer: asyncio.TimerHandle | None = None
        self._pump_due = False
        self._pumped: asyncio.Future[None] = self._loop.create_future()
        peers.gate = self._gate
        self._unwatch = peers.watch(self._opened)
        for connection in peers:
            self._opened(connection)

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
        if there is not None or self.closed or banned:
            return there
        peer = self.crowd.known.get(public_key) or Known(public_key)
        climb = self._dialling.begin(peer)
        return await self._dialling.wait(public_key, climb, timeout)

    async def tried(self, topic: bytes) -> None:
        """Return once nobody who was found for a topic is being dialled, or about to be."""
        while not self.closed and (
            self._pump_due or any(each.state == "dialling" for each in self.crowd.peers_of(topic))
        ):
            await asyncio.shield(self._pumped)

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
        if not self._pump_due and not self.closed:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Dial whom the rules say, and look again when the next is due."""
        self._pump_due = False
        pumped, self._pumped = self._pumped, self._loop.create_future()
        pumped.set_result(None)
        if self.closed:
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

    def _redial(self, key: bytes) -> None:
        peer = self.crowd.known.get(key)
        if peer is not None and not self.closed:
            self._dialling.begin(peer)

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
        self._doubts.watch()
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
            if not self.crowd.connected(topic):
                self._lonely(topic)
        self._pump_soon()

    def _lonely(self, topic: bytes) -> None:
        """The last peer of a topic is gone."""

    async def _stop(self) -> None:
        """Dial no more, and let everybody in again."""
        self.closed = True
        self._unwatch()
        self._doubts.close()
        self.peers.gate = None
        if self._timer is not None:
            self._timer.cancel()
        self._pump()
        await self._dialling.close()
