"""Getting blocks of a bee from other machines, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from holdfast.errors import BlockNotAvailable
from holdfast.hyperbee.forest import Forest

MAX_AHEAD = 512
"""Blocks asked for at once (as JavaScript Hyperbee: blocks are small, the network is slow)."""


class Fetcher:
    """Asks for blocks once, however many readers want them."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def fetch(
        self,
        seq: int,
        ahead: Iterable[int] = (),
        *,
        wait: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Wait for block ``seq``, and ask for the blocks ``ahead`` without waiting for them.

        Raises `BlockNotAvailable` when ``wait`` is false or ``timeout`` (seconds) runs out, and
        whatever the log raises.
        """
        if not wait:
            self._forest.core.get_local(seq)  # which tells when it is here, but damaged
            raise BlockNotAvailable(f"block {seq} of the bee is not on this machine")
        task = self._ask(seq)
        self.prefetch(ahead)
        try:
            await asyncio.wait_for(asyncio.shield(task), timeout)
        except TimeoutError:
            raise BlockNotAvailable(f"block {seq} of the bee did not arrive in time") from None

    def prefetch(self, seqs: Iterable[int]) -> None:
        """Ask for blocks that are not here; more than `MAX_AHEAD` at a time are left out."""
        for seq in seqs:
            if len(self._tasks) >= MAX_AHEAD:
                return
            if not self._forest.here(seq):
                self._ask(seq)

    def _ask(self, seq: int) -> asyncio.Task[None]:
        task = self._tasks.get(seq)
        if task is None:
            task = asyncio.create_task(self._get(seq), name=f"bee block {seq}")
            self._tasks[seq] = task
            task.add_done_callback(lambda done: self._forget(seq, done))
        return task

    async def _get(self, seq: int) -> None:
        cuts = len(self._forest.cuts)
        block = await self._forest.core.get(seq)
        if cuts == len(self._forest.cuts):
            self._forest.add(seq, block)

    def _forget(self, seq: int, task: asyncio.Task[None]) -> None:
        self._tasks.pop(seq, None)
        if not task.cancelled():
            task.exception()  # whoever waits gets it; others ask again in their turn

    async def close(self) -> None:
        """Stop asking."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
