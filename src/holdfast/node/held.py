"""A drive that a node keeps open: with whom it is exchanged, and where it is looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError
from holdfast.hyperdrive import Drive
from holdfast.net import Address, Connection
from holdfast.node.reach import Connect, Reach

if TYPE_CHECKING:
    from holdfast.net.swarm.joined import Joined
    from holdfast.node.online import Online


class Held:
    """One open drive. ``changed`` is called when it may be asked of more peers than before."""

    def __init__(self, drive: Drive, changed: Callable[[], None]) -> None:
        self.drive = drive
        self.logs = {drive.discovery_key}
        """Discovery keys of its logs, as far as they are known."""
        self.sources: set[bytes] = set()
        """Public keys of peers that are asked for it, whether or not it is offered to them."""
        self.answered: list[Address] = []
        """Addresses that have answered, the latest first."""
        self.reach: Reach | None = None
        self.joined: Joined | None = None
        """That others are looked for through the swarm."""
        self._changed = changed
        self._contents = asyncio.ensure_future(self._find_contents())

    async def _find_contents(self) -> None:
        """The contents log of somebody else's drive is known once its tree has arrived."""
        try:
            blobs = await self.drive.blobs()
        except HoldfastError:
            return  # whoever reads from the drive hears about it
        self.logs.add(blobs.core.discovery_key)
        self._changed()

    def look_at(self, connect: Connect, addresses: Iterable[Address]) -> Reach:
        """Dial these addresses, now and whenever nobody there is connected."""
        if self.reach is None:
            self.reach = Reach(connect, addresses, on_connected=self._connected)
        else:
            self.reach.add(addresses)
        return self.reach

    def look_for(self, online: Online) -> None:
        """Look through the swarm, now and from time to time."""
        if self.joined is None:
            self.joined = online.look_for(self.drive.discovery_key)

    def _connected(self, address: Address, connection: Connection) -> None:
        self.answered = list(dict.fromkeys([address, *self.answered]))
        self.add_source(connection.remote_public_key)

    def add_source(self, key: bytes) -> None:
        """Ask this peer for the drive."""
        if key not in self.sources:
            self.sources.add(key)
            self._changed()

    async def wait_peer(self, timeout: float) -> bool:
        """Whether somebody exchanges the drive with us within ``timeout`` seconds."""
        core = self.drive.core
        try:
            async with asyncio.timeout(timeout):
                while not core.peers:
                    await core.next_change()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Look for it no more and let go of it."""
        self._contents.cancel()
        await asyncio.gather(self._contents, return_exceptions=True)
        if self.joined is not None:
            self.joined.leave()
        if self.reach is not None:
            await self.reach.close()
        await self.drive.close()
