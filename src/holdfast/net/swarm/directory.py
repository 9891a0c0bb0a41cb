"""The DHT as a swarm uses it: topics written and read, and connections by public key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net.address import Address
from holdfast.net.connection import Connection
from holdfast.net.peers import Peers
from holdfast.net.swarm.candidate import DHT, MAX_ADDRESSES, Candidate, Found

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode
    from holdfast.net.dht.server import DhtServer

PARALLEL = 8
"""Topics written or read at once: each takes some 40 datagrams, and home routers have small tables
(a node with hundreds of drives would otherwise begin them all in one moment)."""
DIAL_TIME = 20.0
"""Seconds for a dial; it takes longer by itself where a NAT changes ports (see `dht_connect`)."""
MAX_FOUND = 1000
"""Peers taken from one lookup: 20 records from each of the 20 nodes that are asked, and more."""


class SwarmDht:
    """One DHT node on behalf of one swarm. Nothing is written before the first `announce`."""

    def __init__(
        self, node: DhtNode, peers: Peers, *, on_event: Callable[[str], None] | None = None
    ) -> None:
        """``on_event`` hears the node's news (see `DhtNode.on_event`)."""
        self.node = node
        if on_event is not None:
            node.on_event = on_event
        self._peers = peers
        self._server: asyncio.Future[DhtServer] | None = None
        self._room = asyncio.Semaphore(PARALLEL)

    # -- topics ---------------------------------------------------------------------------------

    async def announce(self, topic: bytes) -> None:
        """Write that we have it, and take connections from then on."""
        async with self._room:
            await self._ready()
            server = await self._serve()
            taken = await self.node.announce(
                topic, self._peers.key_pair, tuple(server.relay_addresses)
            )
            if not taken and self.node.ephemeral:  # else it is written down here
                raise PeerUnreachable("No node of the DHT took the announcement down.", _HINT)

    async def unannounce(self, topic: bytes) -> None:
        """Take it back, as far as the nodes that have it can be reached."""
        async with self._room:
            await self.node.unannounce(topic, self._peers.key_pair)

    async def lookup(self, topic: bytes, found: Found) -> None:
        """Read who has it."""
        async with self._room:
            await self._ready()
            taken = 0
            async for reply in self.node.lookup(topic):
                for peer in reply.peers:
                    if taken >= MAX_FOUND:
                        return
                    taken += 1
                    nodes = tuple(Address(*each) for each in peer.relay_addresses)
                    found(Candidate(bytes(peer.public_key), (), nodes[:MAX_ADDRESSES], DHT))

    async def _ready(self) -> None:
        """Wait until the node knows others. Raises `PeerUnreachable` when none answer."""
        if not await self.node.bootstrapped():
            raise PeerUnreachable(self.status, _HINT)

    @property
    def status(self) -> str:
        """One sentence on whether the DHT can be used, and why not."""
        return self.node.status

    # -- connections ----------------------------------------------------------------------------

    async def _serve(self) -> DhtServer:
        """Take connections through the DHT, from the first call on."""
        if self._server is None:
            from holdfast.net.dht.server import DhtServer

            self._server = asyncio.ensure_future(
                DhtServer.listen(
                    self.node, self._peers.key_pair, self._peers.opened, admit=self._peers.knock
                )
            )
        try:
            return await asyncio.shield(self._server)
        except HoldfastError:
            self._server = None
            raise

    async def connect(
        self,
        key: bytes,
        nodes: tuple[Address, ...],
        *,
        timeout: float = DIAL_TIME,
        beside: Connection | None = None,
    ) -> Connection:
        """A connection with the holder of a key; not ``beside``. Raises `PeerUnreachable`."""
        from holdfast.net.dht.connect import dht_connect

        return await self._peers.connect_by(
            key,
            # No ``admit``: our key is shown with the first message already, and the other side may
            # have chosen this connection over the one that there is.
            lambda admit, on_open: dht_connect(
                self.node,
                key,
                self._peers.key_pair,
                relay_addresses=nodes,
                on_open=on_open,
                timeout=timeout,
            ),
            beside=beside,
        )

    async def close(self) -> None:
        """Take no more connections; open ones stay, and so does the node."""
        self.node.on_event = None
        server, self._server = self._server, None
        if server is None:
            return
        if not server.done():
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)
        if not server.cancelled() and server.exception() is None:
            await server.result().close()


_HINT = "Check the --bootstrap addresses, and that UDP gets out of this network."
