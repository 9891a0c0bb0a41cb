"""Several changes to a bee as one append."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from holdfast.errors import LocalError, NotWritableError
from holdfast.hyperbee.blocks import encode_header
from holdfast.hyperbee.cursor import Cursor
from holdfast.hyperbee.forest import Missing
from holdfast.hyperbee.reader import CHUNK, Entry
from holdfast.hyperbee.writer import Writer

if TYPE_CHECKING:
    from holdfast.hyperbee.bee import Bee

TURN = 16
"""Batches written before other tasks get their turn."""

Swap = Callable[[Entry, Entry], "bool | Awaitable[bool]"]
"""Decides on a change of an existing key: ``(entry now, entry proposed) -> go on?``"""


class Batch:
    """Changes to a bee, appended in one step by `flush` or when its block ends without error.

    The first change takes the write lock of the bee, which is held until `flush` or `close`.
    Reads see the changes made so far.
    """

    def __init__(self, bee: Bee, durable: bool | None = None) -> None:
        self._bee = bee
        self._codec = bee._codec
        self._forest = bee._forest
        self._durable = durable
        self._writer: Writer | None = None
        self._cuts = 0
        self._head: list[bytes] = []

    async def __aenter__(self) -> Batch:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self.flush()
        else:
            await self.close()

    async def _open(self) -> Writer:
        """Take the lock and start from the newest tree."""
        if not self._bee.writable:
            raise NotWritableError("this bee cannot be changed here")
        forest = self._forest
        await forest.lock.acquire()
        length = forest.core.length
        self._cuts = len(forest.cuts)
        self._head = [] if length else [encode_header(self._bee.header)]
        self._writer = Writer(forest, forest.root(length), max(1, length))
        return self._writer

    async def lock(self) -> None:
        """Take the write lock now: what is read from here on stays true until `flush`."""
        if self._writer is None:
            await self._open()

    async def put(self, key: Any, value: Any, *, cas: Swap | None = None) -> bool:
        """Set a key; False when it exists and ``cas`` refused the change."""
        writer = self._writer or await self._open()
        raw = self._codec.key(key)
        data = None if value is None else self._codec.values.encode(value)
        if cas is not None and not await self._agreed(cas, raw, key, value):
            writer.mark(raw)
            return False
        while True:
            try:
                writer.put(raw, data)
                return True
            except Missing as missing:
                await self._bee._fetch(missing, True, None)

    async def delete(self, key: Any, *, cas: Swap | None = None) -> bool:
        """Remove a key; False when it is not there or ``cas`` refused."""
        writer = self._writer or await self._open()
        raw = self._codec.key(key)
        if cas is not None and not await self._agreed(cas, raw, key, None):
            return False
        while True:
            try:
                return writer.delete(raw)
            except Missing as missing:
                await self._bee._fetch(missing, True, None)

    async def get(self, key: Any) -> Entry | None:
        """The entry of a key, with the changes of this batch."""
        return await self._get(self._codec.key(key))

    async def _get(self, raw: bytes) -> Entry | None:
        while True:
            writer = self._writer
            try:
                if writer is None:
                    return await self._bee.get(self._codec.plain_key(raw))
                seq = writer.find(raw)
                if seq < 0:
                    return None
                return self._bee._entry((seq, raw, writer.read(seq)[1]))
            except Missing as missing:
                await self._bee._fetch(missing, True, None)

    async def iterate(
        self, *, reverse: bool = False, limit: int = -1, **bounds: Any
    ) -> AsyncIterator[Entry]:
        """Entries of a range (as in `Bee.iterate`) with the changes of this batch.

        Takes the write lock; nothing may be changed before the last entry came.
        """
        writer = self._writer or await self._open()
        limits = self._codec.bounds(**bounds)
        read = writer.read
        cursor = Cursor(self._forest, writer.root, limits, reverse=reverse, read=read)
        while limit != 0:
            try:
                rows = cursor.take(CHUNK if limit < 0 else min(limit, CHUNK))
            except Missing as missing:
                await self._bee._fetch(missing, True, None)
                continue
            if not rows:
                return
            limit -= len(rows)
            for row in rows:
                yield self._bee._entry(row)

    async def _agreed(self, cas: Swap, raw: bytes, key: Any, value: Any) -> bool:
        assert self._writer is not None
        now = await self._get(raw)
        if now is None:
            return True  # as in JavaScript, only a change of an existing key is asked about
        proposed = Entry(self._writer.start + len(self._writer.pending), key, value)
        answer = cas(now, proposed)
        return await answer if inspect.isawaitable(answer) else answer

    async def flush(self) -> None:
        """Append the changes and release the lock; returns once they are durable.

        Raises `DiskFullError`, `StaleWriterError`, `LocalError` when somebody else changed the log;
        nothing is changed then.
        """
        writer, forest = self._writer, self._forest
        if writer is None:
            return
        core = forest.core
        try:
            blocks = self._head + writer.pack()
            if not blocks:
                return
            if len(forest.cuts) != self._cuts or max(1, core.length) != writer.start:
                raise LocalError("The log was changed by somebody else.", "Make the changes again.")
            length = await core.append(blocks, durable=False)
            if writer.reusable and writer.root is not None:
                forest.commit(writer.root, length, writer.made)
        finally:
            self._release()
        if self._durable is not False:
            await core.sync()  # without the lock, so that many writers share one
        if forest.writes % TURN == 0:
            await asyncio.sleep(0)  # appends that wait for no disk must not keep peers waiting

    async def close(self) -> None:
        """Drop the changes and release the lock."""
        if self._writer is not None:
            self._release()

    def _release(self) -> None:
        self._writer = None
        self._forest.lock.release()
