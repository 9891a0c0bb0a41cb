"""Leaning on one relay: the connection is kept, and what was joined is joined again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from holdfast.errors import HoldfastError, UnavailableError
from holdfast.net.connection import Connection
from holdfast.net.relay.link import Found, Incoming, RelayLink
from holdfast.net.relay.stream import RelayedStream
from holdfast.net.relay.wire import ASK_PEER, Place

FIRST_PAUSE = 0.25
"""Seconds before a lost relay is dialled again; doubles with each failure."""
LONGEST_PAUSE = 15.0
"""Seconds between dials at most: who can be reached over it only, waits for it."""

log = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[Connection]]


class RelayClient:
    """One relay this node leans on, until `close`. Callbacks as in `RelayLink`."""

    def __init__(
        self,
        connect: Connect,
        *,
        address: str = "",
        on_incoming: Incoming,
        on_peers: Found,
        on_change: Callable[[RelayClient], None] = lambda client: None,
        on_quiet: Callable[[RelayClient], None] = lambda client: None,
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        """``connect`` makes (or finds) a connection with the relay, which is at ``address``.

        ``on_change`` is called when the relay is there, and when it is not any more,
        ``on_quiet`` soon after the last stream over it has ended.
        """
        self.address = address
        self.link: RelayLink | None = None
        """The channel, while there is one."""
        self.error: HoldfastError | None = None
        """Why the last attempt failed; None while connected."""
        self.topics: dict[bytes, int] = {}
        """What is joined, with flags: relay topics."""
        self._record = b""
        self._connect = connect
        self._on_incoming, self._on_peers = on_incoming, on_peers
        self._on_change, self._on_quiet = on_change, on_quiet
        self._pauses = (first_pause, longest_pause)
        self._turned = asyncio.Event()
        self._closed = False
        self._task = asyncio.ensure_future(self._keep())

    # -- facts ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the relay is there now."""
        return self.link is not None and not self.link.closed

    @property
    def public_key(self) -> bytes:
        """Who the relay is; empty before it has been reached once."""
        return self._key

    _key = b""

    @property
    def streams(self) -> int:
        """Streams over it now."""
        return len(self.link.streams) if self.link is not None else 0

    @property
    def place(self) -> Place:
        """The relay, as others are told of it."""
        return Place(self._key, (self.address,) if self.address else ())

    async def wait_connected(self, timeout: float | None = None) -> RelayLink:
        """The link once there is one. Raises the last error after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if self.link is not None and not self.link.closed:
                        return self.link
                    self._turned.clear()
                    await self._turned.wait()
        except TimeoutError:
            raise self.error or UnavailableError("The relay did not answer in time.") from None

    async def first_try(self) -> None:
        """Return after the first attempt. Raises why it failed."""
        while self.link is None and self.error is None:
            self._turned.clear()
            await self._turned.wait()
        if self.link is None and self.error is not None:
            raise self.error

    # -- use --------------------------------------------------------------------------------------

    def join(self, topic: bytes, flags: int) -> None:
        """Join a relay topic, now and whenever the relay is reached anew."""
        if self.topics.get(topic) == flags:
            return
        self.topics[topic] = flags
        if self.link is not None:
            self.link.join(topic, flags)

    def leave(self, topic: bytes) -> None:
        """Undo a join."""
        if self.topics.pop(topic, None) is not None and self.link is not None:
            self.link.leave(topic)

    def publish(self, record: bytes) -> None:
        """Have a record of ours kept in the DHT, now and whenever the relay is reached anew."""
        if record != self._record:
            self._record = record
            if self.link is not None:
                self.link.publish(record)

    def open(self, public_key: bytes) -> RelayedStream:
        """A stream to a peer. Raises `UnavailableError` while the relay is not there."""
        if self.link is None:
            raise self.error or UnavailableError("The relay has not answered yet.")
        return self.link.open(public_key)

    async def find(self, kind: int, key: bytes) -> list[Place]:
        """Ask the relay where relays are; see `Directory`."""
        if self.link is None:
            raise self.error or UnavailableError("The relay has not answered yet.")
        welcome = self.link.welcome
        if kind != ASK_PEER and welcome is not None and not welcome.answers:
            return []
        return await self.link.ask(kind, key)

    async def close(self) -> None:
        """Lean on it no more. A connection with nothing else on it is closed."""
        self._closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        link, self.link = self.link, None
        if link is not None:
            link.close()
            _release(link.connection)

    # -- keeping it -------------------------------------------------------------------------------

    async def _keep(self) -> None:
        pause, longest = self._pauses
        while True:
            link = await self._try()
            self._turned.set()
            if link is not None:
                pause = self._pauses[0]
                await link.wait_closed()
                self.link, self.error = None, _why(link)
                log.info("the relay %s is gone: %s", self.address, self.error)
                self._on_change(self)
            await asyncio.sleep(pause)
            if link is None:
                pause = min(2 * pause, longest)

    async def _try(self) -> RelayLink | None:
        connection: Connection | None = None
        try:
            connection = await self._connect()
            link = RelayLink(
                connection,
                on_incoming=self._on_incoming,
                on_peers=self._on_peers,
                on_quiet=lambda: self._on_quiet(self),
            )
            self.link = link  # streams may come at once
            await link.wait_open()
        except HoldfastError as error:
            self.link, self.error = None, error
            if connection is not None:
                _release(connection)
            return None
        self._key, self.error = link.public_key, None
        for topic, flags in self.topics.items():
            link.join(topic, flags)
        if self._record:
            link.publish(self._record)
        self._on_change(self)
        return link


def _why(link: RelayLink) -> HoldfastError:
    if link.connection.reason is not None:
        return link.connection.reason
    return UnavailableError("The relay does not serve this node any more.")


def _release(connection: Connection) -> None:
    """Close a connection that nothing else is on."""
    if not connection.mux.channels():
        connection.close()
