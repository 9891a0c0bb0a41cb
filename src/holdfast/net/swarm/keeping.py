"""Writes down where peers were reached, and puts the book on disk soon after, off the loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from holdfast.net.address import Address
from holdfast.net.connection import Connection
from holdfast.net.swarm.address_book import AddressBook
from holdfast.net.swarm.candidate import DHT, RELAY
from holdfast.net.swarm.known import Known

DELAY = 0.25
"""Seconds between news and the disk: twenty drives of one peer are one write."""
AGAIN = 60.0
"""Seconds after a write that failed: a full disk is not helped by haste."""

log = logging.getLogger(__name__)


class Keeping:
    """The book of one swarm, kept on disk."""

    def __init__(self, book: AddressBook) -> None:
        self.book = book
        self._task: asyncio.Task[None] | None = None

    def reached(self, peer: Known, connection: Connection) -> None:
        """A peer is connected whom we have dialled."""
        where = connection.remote_address
        if where is None or peer.via == RELAY or not connection.is_initiator:
            return
        if peer.via == DHT:
            # Somebody who can be written to directly passes handshakes on to himself.
            nodes = connection.relay_addresses or peer.nodes
            self.told(peer.key, peer.topics, (), (where, *nodes))
        else:
            self.told(peer.key, peer.topics, (where,), peer.nodes)

    def told(
        self,
        key: bytes,
        topics: Iterable[bytes],
        addresses: tuple[Address, ...],
        nodes: tuple[Address, ...] = (),
    ) -> None:
        """A peer of these topics can be reached there."""
        if not (addresses or nodes):
            return
        for topic in topics:
            self.book.remember(topic, key, addresses, nodes)
        if self._task is None and self.book.dirty:
            self._task = asyncio.ensure_future(self._save())

    async def _save(self) -> None:
        await asyncio.sleep(DELAY)
        while self.book.dirty:
            self.book.dirty = False
            try:
                await asyncio.to_thread(self.book.write, self.book.encode())
            except OSError as error:
                self.book.dirty = True
                log.warning("the book of peers cannot be written: %s", error)
                await asyncio.sleep(AGAIN)
        self._task = None

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            self.book.dirty = self.book.dirty or self._task is not None
            await asyncio.to_thread(self.book.save)
        except OSError as error:
            log.warning("the book of peers cannot be written: %s", error)
