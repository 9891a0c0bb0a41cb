"""Waiting for what is not here: callbacks of the replicator as things to await."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Generic, TypeVar

from holdfast.hypercore.replicator import Replicator
from holdfast.hypercore.tree_view import local_seek
from holdfast.store.open_log import OpenLog

_T = TypeVar("_T")


class _Answer(Generic[_T]):
    """A future behind the replicator's ``done(value, error)``; it may be called too late."""

    def __init__(self) -> None:
        self._future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

    def done(self, value: _T | None, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is not None:
            self._future.set_exception(error)
        elif value is not None:
            self._future.set_result(value)

    async def within(self, timeout: float | None, replicator: Replicator) -> _T:
        try:
            return await asyncio.wait_for(self._future, timeout)
        except TimeoutError:
            raise replicator.unavailable() from None


async def fetch(opened: OpenLog, index: int, timeout: float | None) -> bytes | memoryview:
    """A block's stored bytes from a peer. Raises `BlockNotAvailable` after ``timeout`` seconds."""
    answer: _Answer[bytes | memoryview] = _Answer()
    replicator = opened.replicator
    opened.wake()
    wanted = replicator.want_block(index, answer.done)
    try:
        return await answer.within(timeout, replicator)
    finally:
        replicator.unwant_block(wanted, answer.done)


async def seek(
    opened: OpenLog, position: int, padding: int, timeout: float | None
) -> tuple[int, int]:
    """The block of a byte and the offset in it; tree nodes are fetched as needed.

    Raises `SeekError` beyond the end, `BlockNotAvailable` after ``timeout`` seconds.
    """
    found = local_seek(opened.log.local, position, padding)
    if found is not None:
        return found
    answer: _Answer[tuple[int, int]] = _Answer()
    opened.wake()
    opened.replicator.want_seek(position, padding, answer.done)
    return await answer.within(timeout, opened.replicator)


async def update(opened: OpenLog, wait: bool, timeout: float | None) -> bool:
    """Ask for a longer version; True when the log grew, False (unless ``wait``) if nobody has one.

    Raises `BlockNotAvailable` after ``timeout`` seconds.
    """
    opened.wake()
    before = _end(opened)  # now: by the time a task of its own runs, the log may have grown
    try:
        return await asyncio.wait_for(_until_grown(opened, before, wait), timeout)
    except TimeoutError:
        raise opened.replicator.unavailable() from None


def _end(opened: OpenLog) -> tuple[int, int]:
    return opened.log.local.fork, opened.log.local.length


async def _until_grown(opened: OpenLog, before: tuple[int, int], wait: bool) -> bool:
    while True:
        answer: _Answer[bool] = _Answer()
        opened.replicator.want_upgrade(partial(_grown, answer))
        await answer.within(None, opened.replicator)
        if _end(opened) != before:
            return True
        if not wait:
            return False
        await opened.next_change()


def _grown(answer: _Answer[bool], grown: bool) -> None:
    answer.done(grown, None)
