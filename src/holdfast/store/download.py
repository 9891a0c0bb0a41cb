"""Fetching a range of blocks in the background."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.errors import ClosedError

if TYPE_CHECKING:
    from holdfast.store.open_log import OpenLog


class Download:
    """A range of blocks on its way; see `Core.download`."""

    def __init__(self, opened: OpenLog, start: int, end: int | None) -> None:
        self._opened = opened
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._future.add_done_callback(_observed)
        self._blocks = start, end
        self._range = opened.replicator.ranges.add(start, end, self._finish)
        opened.replicator.pump_soon()

    def _finish(self, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(None)

    @property
    def remaining(self) -> int:
        """Blocks still missing."""
        return 0 if self._range is None or self._future.done() else self._range.remaining

    async def done(self) -> None:
        """Wait until all blocks are here and survive the death of this process.

        Raises `DiskFullError`, `ConflictError`, or `ClosedError` after `close`.
        """
        await asyncio.shield(self._future)
        self._opened.replicator.flush()
        failure = self._opened.replicator.failure
        if failure is not None and not self._all_here():  # the last ones came and could not be kept
            raise failure

    def _all_here(self) -> bool:
        start, end = self._blocks
        return end is not None and self._opened.log.bitfield.count(start, end) == end - start

    def close(self) -> None:
        """Stop fetching; what arrived stays."""
        if self._range is not None:
            self._opened.replicator.ranges.remove(self._range)
        self._finish(ClosedError("The download was stopped."))


def _observed(future: asyncio.Future[None]) -> None:
    """A download that nobody waits for may fail without a word."""
    if not future.cancelled():
        future.exception()
