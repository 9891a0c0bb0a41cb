"""Connections of a Holdfast store in a test."""

from __future__ import annotations

import asyncio

from holdfast.crypto import key_pair
from holdfast.net import Peers
from holdfast.store import Store


class Network:
    """Everything a store talks to: each connection replicates every log that is open."""

    def __init__(self, store: Store) -> None:
        self._peers = Peers(key_pair(), store.attach)

    async def listen(self) -> int:
        """Takes connections on this machine; returns the port."""
        listener = await self._peers.listen("127.0.0.1:0")
        return listener.addresses[0].port

    async def dial(self, port: int) -> None:
        """A connection with whoever listens there."""
        await self._peers.connect(f"127.0.0.1:{port}")

    async def hangup(self) -> None:
        """Closes every connection; listeners stay."""
        connections = list(self._peers)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.wait_closed() for connection in connections))

    async def close(self) -> None:
        """Closes connections and listeners."""
        await self._peers.close()
