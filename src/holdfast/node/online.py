"""What a node has open to be found and to find others: the swarm and all that feeds it.

Nothing is told to anybody by opening it: topics are announced when `holdfast.net.Policy` says so,
and looked up when a drive of somebody else's is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import ListenError
from holdfast.net import Address, Peers, parse_address
from holdfast.net.near.lan import LocalNetwork
from holdfast.net.near.same_machine import SameMachine
from holdfast.net.swarm.address_book import AddressBook
from holdfast.net.swarm.joined import Joined
from holdfast.net.swarm.swarm import Swarm
from holdfast.node.network import Network
from holdfast.node.relaying import Relaying

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode
    from holdfast.net.swarm.candidate import Finder

UDP_PATIENCE = 1.5
"""Seconds for the DHT to answer before its nodes are called over TCP: several round trips to the
other side of the world."""
BOOK = "peers"
"""The address book's file in the store's folder."""


class Online:
    """The ways to others that are open; made by `open`."""

    def __init__(
        self,
        peers: Peers,
        network: Network,
        *,
        dht: DhtNode | None,
        book: AddressBook | None,
        serves: bool,
    ) -> None:
        """See `open`."""
        self.peers, self.network, self.dht = peers, network, dht
        self.near: list[SameMachine | LocalNetwork] = []
        key = peers.key_pair.public_key
        if network.machine:
            self.near.append(SameMachine(key, self._listening))
        if network.lan:
            self.near.append(LocalNetwork(key, self._listening))
        self.relaying: Relaying | None = None
        finders: list[Finder] = [*self.near]
        if dht is not None or network.relays or serves:
            self.relaying = Relaying(peers, network, dht, serves=serves)
            finders.append(self.relaying.finder)
        self.swarm = Swarm(
            peers,
            dht=dht,
            finders=finders,
            book=book,
            relays=self.relaying.dialer if self.relaying is not None else None,
        )
        self._announced: dict[bytes, Joined] = {}
        self._to_be_found = asyncio.Event()
        self._watch = asyncio.ensure_future(self._lean()) if self.relaying is not None else None

    @classmethod
    async def open(
        cls,
        peers: Peers,
        network: Network,
        *,
        folder: Path | None = None,
        book_key: bytes | None = None,
        first: bool = False,
        serves: bool = False,
    ) -> Online:
        """Bind what is needed. Raises `AddressError`, `ListenError`.

        ``folder`` and ``book_key`` are where known peers are kept, and what seals them. ``first``:
        stay in the DHT for others to begin with. ``serves``: be a relay for those who ask.
        """
        book = AddressBook(folder / BOOK, key=book_key) if folder is not None else None
        dht = await _open_dht(peers, network, first) if network.bootstrap or first else None
        return cls(peers, network, dht=dht, book=book, serves=serves)

    def _listening(self) -> Iterable[Address]:
        """Where this node takes TCP connections, as bound."""
        return [each for listener in self.peers.listeners for each in listener.addresses]

    def listens(self) -> None:
        """There is a new listener: those who are told of us hear of it."""
        for finder in self.near:
            finder.refresh()
        if self.relaying is not None:
            self.relaying.listens()

    # -- topics ---------------------------------------------------------------------------------

    def announce(self, topics: Iterable[bytes]) -> None:
        """Be found under exactly these topics from now on."""
        wanted = dict.fromkeys(topics)
        for topic in [topic for topic in self._announced if topic not in wanted]:
            self._announced.pop(topic).leave()
            if self.relaying is not None:
                self.relaying.unannounce(topic)
        for topic in wanted:
            if topic not in self._announced:
                self._announced[topic] = self.swarm.join(topic, announce=True, lookup=False)
                if self.relaying is not None:
                    self.relaying.announce(topic)
                self._to_be_found.set()

    def announced(self, topic: bytes) -> Joined | None:
        """The announcement of a topic, if there is one."""
        return self._announced.get(topic)

    def look_for(self, topic: bytes) -> Joined:
        """Look for a topic until its `Joined.leave`; known peers are dialled at once."""
        return self.swarm.join(topic, announce=False, lookup=True)

    def explain(self, topic: bytes) -> str:
        """One sentence on how far finding others for a topic has come, or why it cannot."""
        text = self.swarm.explain(topic)
        lost = self.relaying.error if self.relaying is not None else None
        if lost is not None and self.network.relays:
            text += f" A relay cannot be used: {lost.message}"
        return text

    @property
    def dht_status(self) -> str:
        """One sentence on the DHT; empty without one."""
        return self.swarm.dht.status if self.swarm.dht is not None else ""

    # -- relays ---------------------------------------------------------------------------------

    async def _lean(self) -> None:
        """Use relays where nothing else may lead: configured ones, and where the DHT is shut out.

        A bootstrap node takes TCP connections on the same port, for networks without UDP.
        """
        assert self.relaying is not None
        self.relaying.lean_on(self.network.relays)
        if self.dht is None:
            return
        answers = asyncio.ensure_future(self.dht.bootstrapped())
        try:
            await asyncio.wait([answers], timeout=UDP_PATIENCE)
            # Whether it is shut out for good takes longer to know; who waits, is served meanwhile.
            if not answers.done() or not answers.result():
                self.relaying.lean_on(self.network.bootstrap)
            await answers
        finally:
            answers.cancel()
        # A node that is open is held by relays, too: whoever is shut out of UDP finds it there.
        await self._to_be_found.wait()
        self.relaying.settle()

    # -- the end --------------------------------------------------------------------------------

    async def close(self) -> None:
        """Take announcements back and close what was opened; connections stay."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self.swarm.close()
        if self.relaying is not None:
            await self.relaying.close()
        if self.dht is not None:
            await self.dht.close()


async def _open_dht(peers: Peers, network: Network, first: bool) -> DhtNode:
    from holdfast.net.dht.node import DhtNode

    where = parse_address(network.udp, default_host="0.0.0.0", default_port=0)
    node = partial(
        DhtNode.open,
        host=where.host,
        bootstrap=network.bootstrap,
        key_pair=peers.key_pair,
        ephemeral=False if first else None,
    )
    try:
        return await node(port=where.port)
    except ListenError:
        if where.port == 0 or first:
            raise
        return await node(port=0)
