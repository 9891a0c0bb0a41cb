"""Reaching a peer through a relay that holds it, whichever that is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from holdfast.crypto import KeyPair
from holdfast.errors import HoldfastError, PeerUnreachable, UnavailableError
from holdfast.net.connection import Admit, Connection
from holdfast.net.relay.client import RelayClient
from holdfast.net.relay.relays import Relays, run_over
from holdfast.net.relay.wire import ASK_PEER

CONNECT_TIMEOUT = 20.0
"""Seconds for a lookup, a relay and a handshake through it."""
MAX_TRIED = 4
"""Relays tried for one peer: it names the best first, and a liar names many."""

_NOBODY = "Check that the other side is running and leans on a relay that both can reach."


log = logging.getLogger(__name__)


class RelayDialer:
    """Opens connections with peers through the relays that hold them."""

    def __init__(self, relays: Relays) -> None:
        self._relays = relays

    async def connect(
        self,
        public_key: bytes,
        *,
        admit: Admit | None = None,
        on_open: Admit | None = None,
        timeout: float = CONNECT_TIMEOUT,
    ) -> Connection:
        """An open connection with the holder of a key. Raises `PeerUnreachable`."""
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(public_key, admit, on_open)
        except TimeoutError:
            raise PeerUnreachable("The peer could not be reached over a relay in time.") from None

    async def _connect(
        self, public_key: bytes, admit: Admit | None, on_open: Admit | None
    ) -> Connection:
        failed: HoldfastError = PeerUnreachable("No relay is known that holds this peer.", _NOBODY)
        tried: set[RelayClient] = set()
        async for client in self._ways(public_key):
            if client in tried:
                continue
            tried.add(client)
            try:
                return await open_through(
                    client, self._relays.key_pair, public_key, admit=admit, on_open=on_open
                )
            except UnavailableError as error:
                failed = error
                self._relays.release(client)
        raise failed

    async def _ways(self, public_key: bytes) -> AsyncIterator[RelayClient]:
        """Our own relays, which may hold the peer too; then those that it says hold it."""
        for client in list(self._relays.clients):
            if client.connected:
                yield client
        places = await self._relays.find(ASK_PEER, public_key)
        for place in places[:MAX_TRIED]:
            try:
                yield await self._relays.reach(place)
            except UnavailableError as error:
                log.info("a relay that may hold a peer cannot be used: %s", error)


async def open_through(
    client: RelayClient,
    key_pair: KeyPair,
    public_key: bytes,
    *,
    admit: Admit | None = None,
    on_open: Admit | None = None,
) -> Connection:
    """A connection with a peer through one relay. Raises `RelayRefused` and as `dial`."""
    stream = client.open(public_key)
    connection = Connection(True, key_pair, expected_key=public_key, admit=admit, on_open=on_open)
    run_over(stream, connection)
    try:
        await connection.wait_open()
    except asyncio.CancelledError:
        connection.abort(PeerUnreachable("Reaching a peer over a relay was stopped."))
        raise
    return connection
