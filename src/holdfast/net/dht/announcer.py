"""Keeps a server known to the nodes that are nearest to the hash of its key: they relay to it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from holdfast.crypto import KeyPair, blake2b
from holdfast.dht.calls import Reply
from holdfast.dht.commands import ANNOUNCE, FIND_PEER, UNANNOUNCE
from holdfast.dht.noise_payload import Relay
from holdfast.dht.records import NS_ANNOUNCE, NS_UNANNOUNCE, Announce, Peer
from holdfast.errors import HoldfastError
from holdfast.net.address import Address

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

RELAYS = 3
"""Nodes that relay to a server, as in the peers: two may fail between two rounds."""
REFRESH = 300.0
"""Seconds between two searches for the nearest nodes: a quarter of what a record lasts."""
KEEP_NAT_OPEN = 10.0
"""Seconds between words to each relay, behind a NAT: many forget after 30, some after 20."""
KEEP_IN_TOUCH = 60.0
"""The same for a server that anybody can write to: only to see that the relays are still there."""
FEW_RELAYS = 30.0
"""Seconds until the next search while there are fewer relays than there should be."""

log = logging.getLogger(__name__)


class Announcer:
    """The relays of one server."""

    def __init__(self, dht: DhtNode, key_pair: KeyPair) -> None:
        self._dht, self._key_pair = dht, key_pair
        self._target = blake2b(key_pair.public_key)
        self.relays: list[Relay] = []
        """Nodes that relay to us, and where they see us."""
        self._before: set[tuple[str, int]] = set()
        self._task: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._addresses: tuple[tuple[str, int] | None, object] = (None, None)

    @property
    def relay_addresses(self) -> list[Address]:
        """Nodes to ask for us; ourselves first, if anybody can write to us."""
        own = self._dht.remote_address()
        found = [] if own is None else [own]
        found += [Address(*relay.relay_address) for relay in self.relays]
        return found[:RELAYS]

    @property
    def record(self) -> bytes:
        """What others get who look for this server."""
        return Peer(self._key_pair.public_key, ()).encode()

    def is_relay(self, address: tuple[str, int]) -> bool:
        """Whether a node is, or was until the last search, one of our relays."""
        now = any(relay.relay_address == address for relay in self.relays)
        return now or address in self._before

    async def start(self) -> None:
        """Announce; returns when that is done. Without any node to tell it is tried again later."""
        await self._announce()
        self._task = asyncio.ensure_future(self._go_on())

    def refresh(self) -> None:
        """Search and announce again soon: our address, or the network, has changed."""
        self._again.set()

    async def close(self) -> None:
        """Have the relays forget us. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        relays, self.relays = self.relays, []
        if not self._dht.closed:
            await self._forget([relay.relay_address for relay in relays])

    # -- rounds ---------------------------------------------------------------------------------

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._dht.closed:
            try:
                found = len(self.relays)
                enough = found >= RELAYS or 0 < len(self._dht.nodes()) <= found
                until = loop.time() + (REFRESH if enough else FEW_RELAYS)
                while loop.time() < until and not self._again.is_set():
                    await self._pause(until - loop.time())
                    if not self._again.is_set() and not await self._greet():
                        break
                self._again.clear()
                await self._announce()
            except HoldfastError as error:
                log.info("announcing failed: %s", error)
                await self._pause(FEW_RELAYS)

    async def _pause(self, most: float) -> None:
        pause = KEEP_NAT_OPEN if self._dht.firewalled else KEEP_IN_TOUCH
        try:
            async with asyncio.timeout(min(pause, max(most, 0.0))):
                await self._again.wait()
        except TimeoutError:
            pass

    async def _greet(self) -> bool:
        """Speak to each relay; False when one is gone, or our address has changed."""
        pings = [self._dht.ping(relay.relay_address) for relay in self.relays]
        answers = await asyncio.gather(*pings, return_exceptions=True)
        for relay, answer in zip(self.relays, answers, strict=True):
            if isinstance(answer, BaseException) or answer.seen_as != relay.peer_address:
                return False
        return (self._dht.remote_address(), self._dht.socket) == self._addresses

    async def _announce(self) -> None:
        self._addresses = self._dht.remote_address(), self._dht.socket
        walk = self._dht.query(self._target, FIND_PEER)
        await walk.finished()
        usable = [each for each in walk.closest if each.token is not None and each.from_id]
        told = await asyncio.gather(*(self._tell(reply) for reply in usable[:RELAYS]))
        before = {relay.relay_address for relay in self.relays}
        self.relays = [relay for relay in told if relay is not None]
        self._before = before - {relay.relay_address for relay in self.relays}
        if self._before:
            await self._forget(list(self._before))

    async def _tell(self, reply: Reply) -> Relay | None:
        assert reply.token is not None and reply.from_id is not None
        said = Announce(Peer(self._key_pair.public_key, ()))
        said = said.sign(self._key_pair, NS_ANNOUNCE, self._target, reply.token, reply.from_id)
        try:
            answer = await self._dht.request(
                reply.from_addr,
                ANNOUNCE,
                target=self._target,
                value=said.encode(),
                token=reply.token,
            )
        except HoldfastError:
            return None
        self._dht.counters.announces += 1
        return None if answer.error else Relay(reply.from_addr, reply.seen_as)

    async def _forget(self, nodes: list[tuple[str, int]]) -> None:
        await asyncio.gather(*(self._take_back(node) for node in nodes), return_exceptions=True)

    async def _take_back(self, node: tuple[str, int]) -> None:
        reply = await self._dht.request(node, FIND_PEER, target=self._target, retries=1)
        if reply.token is None or reply.from_id is None or reply.value is None:
            return
        said = Announce(Peer(self._key_pair.public_key, ()))
        said = said.sign(self._key_pair, NS_UNANNOUNCE, self._target, reply.token, reply.from_id)
        await self._dht.request(
            node,
            UNANNOUNCE,
            target=self._target,
            value=said.encode(),
            token=reply.token,
            retries=1,
        )
