"""A node's part in relaying: leaning on relays, and being one for those who ask."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError
from holdfast.net import Connection, Peers, parse_address
from holdfast.net.checks import serve_clock
from holdfast.net.peers import DuplicateError
from holdfast.net.relay.beacon import DhtDirectory, RelayBeacon
from holdfast.net.relay.dialer import RelayDialer
from holdfast.net.relay.finder import RelayFinder
from holdfast.net.relay.relays import Relays
from holdfast.net.relay.server import RelayServer
from holdfast.net.relay.wire import relay_topic
from holdfast.net.websocket.dial import dial_any, is_websocket
from holdfast.node.network import Network

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode


class Relaying:
    """Relays that a node leans on, and with ``serves`` the relay that it is."""

    def __init__(
        self, peers: Peers, network: Network, dht: DhtNode | None, *, serves: bool
    ) -> None:
        self._peers = peers
        self.directory = DhtDirectory(dht) if dht is not None else None
        publish = None
        if self.directory is not None:
            publish = partial(self.directory.publish, peers.key_pair.public_key)
        self.relays = Relays(
            peers.key_pair,
            dial=self._dial,
            admit=peers.admit,
            on_open=peers.opened,
            directory=self.directory,
            publish=None if serves else publish,
        )
        self.finder = RelayFinder(self.relays)
        self.dialer = RelayDialer(self.relays)
        self.server: RelayServer | None = None
        self._beacon: RelayBeacon | None = None
        if serves:
            self._serve(dht)

    # -- leaning on others ----------------------------------------------------------------------

    def lean_on(self, addresses: Iterable[str]) -> None:
        """Keep a connection with the relays at these addresses."""
        for address in addresses:
            self.relays.add(address)

    def settle(self) -> None:
        """Find relays, if there are any, and let them hold us: some cannot dial this node."""
        if self.server is None:
            self.relays.settle()

    async def _dial(self, address: str, key: bytes | None) -> Connection:
        """One connection for each key, also with a relay that is a peer besides."""
        if not is_websocket(address):
            return await self._peers.connect(parse_address(address), expected_key=key)
        known = self._peers.get(key) if key is not None else None
        if known is not None:
            return known
        try:
            return await dial_any(
                address,
                self._peers.key_pair,
                expected_key=key,
                admit=self._peers.admit,
                on_open=self._peers.opened,
            )
        except DuplicateError as duplicate:
            return duplicate.kept

    # -- being one ------------------------------------------------------------------------------

    def _serve(self, dht: DhtNode | None) -> None:
        self.server = RelayServer(
            self._peers.key_pair.public_key, directory=self.directory, addresses=self._addresses
        )
        self._peers.watch(self.server.attach)
        self._peers.watch(serve_clock)
        if dht is not None and self.directory is not None:
            self._beacon = RelayBeacon(self.server, self.directory, self._peers.key_pair)

    def announce(self, topic: bytes) -> None:
        """Whoever leans on this relay finds what its own node has, too."""
        if self.server is not None:
            self.server.announce(relay_topic(topic))

    def unannounce(self, topic: bytes) -> None:
        """Take it back."""
        if self.server is not None:
            self.server.unannounce(relay_topic(topic))

    def _addresses(self) -> list[str]:
        return [str(each) for listener in self._peers.listeners for each in listener.reachable]

    def listens(self) -> None:
        """There is a new listener: the relay is reached there."""
        if self._beacon is not None:
            self._beacon.renew()

    @property
    def error(self) -> HoldfastError | None:
        """Why a relay that should be leant on does not answer."""
        failed = [client.error for client in self.relays.clients if not client.connected]
        return next((error for error in failed if error is not None), None)

    async def close(self) -> None:
        """Leave the relays, and be one no longer."""
        if self._beacon is not None:
            self._beacon.close()
        await self.relays.close()
        if self.directory is not None:
            await self.directory.close()
        if self.server is not None:
            await self.server.close()
