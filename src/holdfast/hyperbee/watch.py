"""Being told when a range of keys changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from holdfast.errors import BlockNotAvailable

if TYPE_CHECKING:
    from holdfast.hyperbee.bee import Bee
    from holdfast.hyperbee.core import Session
    from holdfast.hyperbee.reader import Entry


class Growth:
    """Wakes when a log grows or is cut back; a change before `wait` is not missed."""

    def __init__(self, core: Session) -> None:
        self._event = asyncio.Event()
        self._removers = [core.on_append(self._wake), core.on_truncate(self._wake)]

    def _wake(self, *_: object) -> None:
        self._event.set()

    async def wait(self) -> None:
        """Return at once when something changed since the last call, else when it does."""
        await self._event.wait()
        self._event.clear()

    def close(self) -> None:
        """Stop listening."""
        for remove in self._removers:
            remove()


async def watch_range(
    bee: Bee, before: Bee, bounds: dict[str, Any]
) -> AsyncIterator[tuple[Bee, Bee]]:
    """``(now, before)`` whenever keys in the range differ; also when the log was cut back."""
    growth = Growth(bee.core)
    try:
        while True:
            now = bee.snapshot()
            if await _differs(now, before, bounds):
                yield now, before
            before = now
            await growth.wait()
    finally:
        growth.close()


async def _differs(now: Bee, before: Bee, bounds: dict[str, Any]) -> bool:
    try:
        async for _ in now.diff(before, limit=1, **bounds):
            return True
        return False
    except BlockNotAvailable:
        if before.intact:
            raise
        return True


async def watch_key(bee: Bee, key: Any) -> AsyncIterator[Entry | None]:
    """The entry of a key, and again whenever it was written anew or is gone."""
    growth = Growth(bee.core)
    seen: int | None = -1
    try:
        while True:
            entry = await bee.get(key)
            seq = None if entry is None else entry.seq
            if seq != seen:
                seen = seq
                yield entry
            await growth.wait()
    finally:
        growth.close()
