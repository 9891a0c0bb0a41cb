"""Keeping in touch: dials addresses until somebody answers, and again when they have gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net import Address, Connection

FIRST_PAUSE = 0.25
"""Seconds before a failed dial is repeated for the first time; doubles with each failure."""
LONGEST_PAUSE = 8.0
"""Seconds between dials at most: who waits wants to see it go on soon after the peer is back."""

Connect = Callable[[Address], Awaitable[Connection]]


class Reach:
    """One task that holds a connection to any of some addresses, until closed."""

    def __init__(
        self,
        connect: Connect,
        addresses: Iterable[Address],
        *,
        on_connected: Callable[[Address, Connection], None] | None = None,
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        """``connect`` dials one address; ``on_connected`` hears which one answered."""
        self.addresses = list(dict.fromkeys(addresses))
        self.connection: Connection | None = None
        self.error: HoldfastError | None = None
        """Why the last round failed; None while connected."""
        self._connect = connect
        self._on_connected = on_connected
        self._pauses = (first_pause, longest_pause)
        self._tried = asyncio.Event()
        self._changed = asyncio.Event()
        self._task = asyncio.ensure_future(self._keep())

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self.connection is not None and not self.connection.closed

    def add(self, addresses: Iterable[Address]) -> None:
        """More addresses to try from the next round on."""
        self.addresses = list(dict.fromkeys([*self.addresses, *addresses]))

    async def first(self) -> None:
        """Return after the first round of dials, whatever came of it."""
        await self._tried.wait()

    async def wait_connected(self, timeout: float | None = None) -> Connection:
        """The connection, once there is one. Raises the last error after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if self.connection is not None and not self.connection.closed:
                        return self.connection
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise self.error or PeerUnreachable("Nobody answered in time.") from None

    async def close(self) -> None:
        """Dial no more; a connection there is stays."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        pause, longest = self._pauses
        while True:
            connection = await self._round()
            self._tried.set()
            self._changed.set()
            if connection is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
                continue
            pause = self._pauses[0]
            await connection.wait_closed()
            self.connection, self.error = None, connection.reason
            self._changed.set()
            await asyncio.sleep(pause)

    async def _round(self) -> Connection | None:
        """Dial all addresses at once; the first that answers counts."""
        tasks = [asyncio.ensure_future(self._one(each)) for each in self.addresses]
        failed: HoldfastError | None = None
        try:
            for next_done in asyncio.as_completed(tasks):
                try:
                    address, connection = await next_done
                except HoldfastError as error:
                    failed = _plainer(failed, error)
                    continue
                self.connection, self.error = connection, None
                if self._on_connected is not None:
                    self._on_connected(address, connection)
                return connection
            self.error = failed
            return None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, address: Address) -> tuple[Address, Connection]:
        return address, await self._connect(address)


def _plainer(old: HoldfastError | None, new: HoldfastError) -> HoldfastError:
    """Of two failures the one that says more: a peer that answered wrongly beats silence."""
    if old is not None and not isinstance(old, PeerUnreachable):
        return old
    return new
