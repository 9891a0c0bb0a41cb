"""One topic of a swarm: told to others and looked up, once now and again from time to time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from holdfast.errors import HoldfastError
from holdfast.net.swarm.candidate import Finder, Found

REFRESH = 600.0
"""Seconds between two rounds: announcements live twice as long in the DHT (hyperswarm's number)."""
JITTER = 120.0
"""Seconds at most that are added, so that a crowd does not ask in step."""
HUNGRY = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Seconds between lookups while nobody of the topic is connected; then the last, for ever."""

log = logging.getLogger(__name__)


class Directory(Protocol):
    """Where topics are written and read with one question each: the DHT."""

    async def announce(self, topic: bytes) -> None:
        """Write that we have it. Raises a HoldfastError when nobody took it down."""

    async def unannounce(self, topic: bytes) -> None:
        """Take it back."""

    async def lookup(self, topic: bytes, found: Found) -> None:
        """Read who has it. Raises a HoldfastError when nobody answered."""


class Discovery:
    """The finders' and the directory's work for one topic, as long as anybody wants it."""

    def __init__(
        self,
        topic: bytes,
        *,
        directory: Directory | None,
        finders: Sequence[Finder],
        found: Found,
        hungry: Callable[[], bool],
        random: Callable[[], float],
    ) -> None:
        """``hungry()`` is asked after each round whether nobody of the topic is connected."""
        self.topic = topic
        self.announcing = self.looking = False
        self.error: HoldfastError | None = None
        """Why the last round did not do all it should."""
        self.rounds = 0
        """Rounds finished."""
        self._directory, self._finders = directory, list(finders)
        self._found, self._hungry, self._random = found, hungry, random
        self._stops: list[Callable[[], None]] = []
        self._starved = 0
        self._announced = False
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def change(self, *, announce: bool, lookup: bool) -> None:
        """What is wanted from now on."""
        if (announce, lookup) == (self.announcing, self.looking):
            return
        if announce != self.announcing:
            for finder in self._finders:
                (finder.announce if announce else finder.unannounce)(self.topic)
        if lookup and not self.looking:
            self._stops = [finder.lookup(self.topic, self._found) for finder in self._finders]
        elif not lookup:
            self._stop_finders()
        self.announcing, self.looking = announce, lookup
        self._starved = 0
        self._settled.clear()
        self.refresh()

    def refresh(self) -> None:
        """Begin a round now."""
        self._wake.set()
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    def starved(self) -> None:
        """The last peer of the topic is gone: look again soon."""
        if self.looking and self._task is not None and not self._starved:
            self._starved = 1
            self._wake.set()

    async def flushed(self) -> bool:
        """Return once it is told to others and the first lookup is done; whether both worked."""
        await self._settled.wait()
        return self.error is None

    async def close(self) -> None:
        """Tell and ask no more, and take back what was told."""
        self._stop_finders()
        if self.announcing:
            for finder in self._finders:
                finder.unannounce(self.topic)
        self.announcing = self.looking = False
        self._settled.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._announced and self._directory is not None:
            await self._try(self._directory.unannounce(self.topic))

    def _stop_finders(self) -> None:
        stops, self._stops = self._stops, []
        for stop in stops:
            stop()

    # -- rounds ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wanted = (self.announcing, self.looking)
            await self._round(*wanted)
            if wanted == (self.announcing, self.looking):
                self.rounds += 1
                self._settled.set()
                await self._rest()

    async def _round(self, announce: bool, lookup: bool) -> None:
        directory = self._directory
        if directory is None:
            return
        work: list[Awaitable[None]] = []
        if announce:
            self._announced = True
            work.append(directory.announce(self.topic))
        elif self._announced:
            self._announced = False
            work.append(directory.unannounce(self.topic))
        if lookup:
            work.append(directory.lookup(self.topic, self._found))
        errors = await asyncio.gather(*map(self._try, work))
        self.error = next((error for error in errors if error is not None), None)

    async def _try(self, work: Awaitable[None]) -> HoldfastError | None:
        try:
            await work
        except HoldfastError as error:
            return error
        except OSError as error:
            return HoldfastError(f"The network refused: {error.strerror or error}.")
        except Exception as error:
            log.exception("a finder failed")
            return HoldfastError(f"A finder failed: {type(error).__name__}.")
        return None

    async def _rest(self) -> None:
        """Wait for the next round; not as long while nobody is there or nothing worked."""
        eager = self.error is not None or (self.looking and self._hungry())
        if eager:
            pause = HUNGRY[min(self._starved, len(HUNGRY) - 1)] * (1 + 0.25 * self._random())
            self._starved += 1
        else:
            self._starved = 0
            pause = REFRESH + JITTER * self._random()
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return
