"""The dials of a swarm: one climb for each peer, over whatever transports there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net.address import Address
from holdfast.net.connection import Connection
from holdfast.net.peers import Peers
from holdfast.net.swarm.candidate import DHT, RELAY, RelayDialer
from holdfast.net.swarm.climb import Climb, rung_of
from holdfast.net.swarm.directory import SwarmDht
from holdfast.net.swarm.known import Known
from holdfast.net.swarm.ladder import Way, ways_of
from holdfast.net.swarm.trace import FAILED, OPENED, Step, Trace

RELAY_TIME = 20.0
"""Seconds to find a relay that holds a peer, and for a handshake through it."""
IMPROVE_AFTER = 25.0
"""Seconds before a hole that could not be punched is tried again while a relay serves: a node that
has sent many probes rests for 20. Doubles each time."""
IMPROVE_PAUSE = 300.0
"""Seconds between two such tries at the most."""

Climbed = asyncio.Task["Connection | None"]


class Dialling:
    """Who is being dialled now."""

    def __init__(
        self,
        peers: Peers,
        *,
        dht: SwarmDht | None,
        relays: RelayDialer | None,
        trace: Trace,
        clock: Callable[[], float],
        limit: float,
        over: Callable[[Known, Way | None, Connection | None], None],
    ) -> None:
        """``over`` hears how each climb ended: the way and the connection, or None."""
        self._peers, self._dht, self._relays = peers, dht, relays
        self._trace, self._clock, self._limit, self._over = trace, clock, limit, over
        self._climbs: dict[bytes, Climbed] = {}
        self._improving: set[asyncio.Task[None]] = set()

    def begin(self, peer: Known) -> Climbed:
        """Dial a peer; the climb that there is goes on."""
        there = self._climbs.get(peer.key)
        if there is not None:
            return there
        task: Climbed = asyncio.ensure_future(self._climb(peer))
        self._climbs[peer.key] = task
        return task

    async def _climb(self, peer: Known) -> Connection | None:
        climb = Climb(
            peer.key,
            ways_of(
                peer.learnt,
                peer.nodes,
                dht=self._dht is not None,
                relay=self._relays is not None,
            ),
            lambda way: self._dial(peer.key, way),
            trace=self._trace,
            clock=self._clock,
            limit=self._limit,
        )
        way: Way | None = None
        connection: Connection | None = None
        try:
            way, connection = await climb.run()
        except HoldfastError:
            pass  # the trace says why
        finally:
            self._climbs.pop(peer.key, None)
            self._over(peer, way, connection)
        if connection is not None and connection.route == "relayed":
            self._improve(peer, climb, connection)
        return connection

    def _improve(self, peer: Known, climb: Climb, relayed: Connection) -> None:
        """Go on punching while the relay serves; `Peers` changes over when it has succeeded."""

        async def work() -> None:
            better = await climb.improve() if climb.can_improve else None
            better = better or await self._punch_again(peer)
            if better is not None:
                self._over(peer, *better)

        def gone(reason: HoldfastError) -> None:
            if self._peers.get(peer.key) is None:
                task.cancel()

        task = asyncio.ensure_future(work())
        self._improving.add(task)
        task.add_done_callback(self._improving.discard)
        relayed.on_close(gone)

    async def _punch_again(self, peer: Known) -> tuple[Way, Connection] | None:
        """A direct way after all, or None when there is nothing left to improve."""
        pause = IMPROVE_AFTER
        while self._dht is not None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, IMPROVE_PAUSE)
            served = self._peers.get(peer.key)
            if served is None or served.route != "relayed":
                break
            way, start = Way(DHT, peer.nodes), self._clock()
            try:
                connection = await self._dht.connect(peer.key, peer.nodes, beside=served)
            except HoldfastError as error:
                self._say(peer.key, DHT, FAILED, start, str(way), error.message)
                continue
            self._say(peer.key, rung_of(way, connection), OPENED, start, str(way))
            return way, connection
        return None

    def _say(
        self, key: bytes, rung: str, outcome: str, start: float, where: str, reason: str = ""
    ) -> None:
        now = self._clock()
        self._trace.add(Step(now, key, rung, outcome, now - start, where, reason))

    async def _dial(self, key: bytes, way: Way) -> Connection:
        if way.rung == DHT and self._dht is not None:
            return await self._dht.connect(key, way.addresses)
        if way.rung == RELAY and self._relays is not None:
            relays = self._relays
            return await self._peers.connect_by(
                key,
                lambda admit, on_open: relays.connect(
                    key, admit=admit, on_open=on_open, timeout=RELAY_TIME
                ),
            )
        return await connect_any(self._peers, way.addresses, key)

    async def wait(self, key: bytes, climb: Climbed, timeout: float) -> Connection | None:
        """The connection with a peer, as soon as there is one whoever made it; None if not."""
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def opened(connection: Connection) -> None:
            if connection.remote_public_key == key and not came.done():
                came.set_result(None)

        stop = self._peers.watch(opened)
        try:
            either: list[asyncio.Future[Any]] = [climb, came]
            await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop()
            came.cancel()
        return self._peers.get(key)

    async def close(self) -> None:
        """Give up everything that is being dialled."""
        climbs = [*self._climbs.values(), *self._improving]
        for task in climbs:
            task.cancel()
        await asyncio.gather(*climbs, return_exceptions=True)


async def connect_any(peers: Peers, addresses: Iterable[Address], key: bytes) -> Connection:
    """Dial all addresses at once; the first where the holder of the key answers counts."""
    tasks = [asyncio.ensure_future(peers.connect(each, expected_key=key)) for each in addresses]
    failed: HoldfastError = PeerUnreachable("No address of this peer is known.")
    try:
        for next_done in asyncio.as_completed(tasks):
            try:
                return await next_done
            except HoldfastError as error:
                failed = error
        raise failed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
