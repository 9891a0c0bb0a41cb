"""What somebody holds who has joined a topic of a swarm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from holdfast.errors import HoldfastError
from holdfast.net.swarm.discovery import Discovery

FLUSH_TIMEOUT = 30.0
"""Seconds that `Joined.flushed` waits: a first walk through a DHT of which many nodes are gone."""


class Joined:
    """One wish to be found under a topic, to find others, or both; several may share a topic."""

    def __init__(
        self,
        discovery: Discovery,
        *,
        announce: bool,
        lookup: bool,
        changed: Callable[[Joined], None],
    ) -> None:
        self.topic = discovery.topic
        self.announce, self.lookup = announce, lookup
        self.left = False
        self._discovery, self._changed = discovery, changed

    @property
    def error(self) -> HoldfastError | None:
        """Why the last round of announcing and looking up did not do all it should."""
        return self._discovery.error

    def change(self, *, announce: bool | None = None, lookup: bool | None = None) -> None:
        """Wish otherwise from now on; None leaves it as it is."""
        self.announce = self.announce if announce is None else announce
        self.lookup = self.lookup if lookup is None else lookup
        if not self.left:
            self._changed(self)

    async def flushed(self, timeout: float = FLUSH_TIMEOUT) -> bool:
        """Return once it is announced and the first lookup is done, as far as wished.

        False when the network did not answer, or not in time; it goes on trying all the same.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._discovery.flushed()
        except TimeoutError:
            return False

    def leave(self) -> None:
        """Wish it no more; what was announced is taken back if nobody else wishes it."""
        if not self.left:
            self.left = True
            self._changed(self)
