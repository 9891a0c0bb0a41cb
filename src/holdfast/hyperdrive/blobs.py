"""Hyperblobs: the contents of files, one after another on a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from holdfast.errors import LocalError
from holdfast.hyperbee.core import Session
from holdfast.hyperdrive.entry import BlobId
from holdfast.hyperdrive.reading import chunks, local, read_map, runs
from holdfast.hyperdrive.source import Source, blocks_of

Stored = Callable[[int], None]
"""Told how many bytes of a file are stored so far."""

_SOMEBODY = "Somebody else appended to the log in the middle of a file."


class Blobs:
    """Puts contents on a log, whole and one at a time, and gets them back."""

    def __init__(self, core: Session) -> None:
        self.core = core
        self._lock = asyncio.Lock()

    async def put(self, source: Source, *, progress: Stored | None = None) -> BlobId:
        """Append a content; returns where it lies. It is durable after the next durable append.

        Nothing points to it before its id is kept somewhere, so an error on the way leaves only
        blocks that nobody reads. Raises what the source raises, and as `Core.append`.
        """
        async with self._lock:
            start, byte_start, size = self.core.length, self.core.byte_length, 0
            end = start
            try:
                async with aclosing(blocks_of(source)) as pieces:
                    async for blocks in pieces:
                        if await self.core.append(blocks, durable=False) != end + len(blocks):
                            raise LocalError(_SOMEBODY)
                        end += len(blocks)
                        size += sum(map(len, blocks))
                        if progress is not None:
                            progress(size)
            except BaseException:
                await self._drop(start, end)
                raise
            return BlobId(start, byte_start, end - start, size)

    async def _drop(self, start: int, end: int) -> None:
        """Free the space of a content that came to nothing: no name will ever lead to it."""
        if end > start:
            dropping = asyncio.ensure_future(self.core.clear(start, end))
            await asyncio.wait([dropping])
            if not dropping.cancelled():
                dropping.exception()  # the error that led here is the one to tell

    async def put_small(self, contents: list[bytes]) -> list[BlobId]:
        """Append contents of at most one block each in one step; returns where they lie."""
        async with self._lock:
            core = self.core
            index, offset = core.length, core.byte_length
            ids: list[BlobId] = []
            for content in contents:
                size = len(content)
                ids.append(BlobId(index, offset, 1 if size else 0, size))
                index += size > 0
                offset += size
            blocks = [content for content in contents if content]
            if blocks and await core.append(blocks, durable=False) != index:
                raise LocalError(_SOMEBODY)
            return ids

    def chunks(
        self,
        blob: BlobId,
        start: int = 0,
        stop: int | None = None,
        *,
        wait: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[bytes]:
        """Bytes ``start`` to ``stop`` in pieces of about 64 KiB; see `reading.chunks`."""
        return chunks(self.core, blob, start, stop, wait=wait, timeout=timeout)

    async def get(
        self,
        blob: BlobId,
        start: int = 0,
        stop: int | None = None,
        *,
        wait: bool = True,
        timeout: float | None = None,
    ) -> bytes:
        """Bytes ``start`` to ``stop`` as one piece."""
        if blob.block_length == 1 and start == 0 and stop is None and not blob.block_map:
            block = local(self.core, blob.block_offset)
            if block is not None and len(block) == blob.byte_length:
                return block
        parts = [p async for p in self.chunks(blob, start, stop, wait=wait, timeout=timeout)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def size(self, blob: BlobId, *, timeout: float | None = None) -> int:
        """Bytes of a content; fetches only its block map when it has one."""
        if not blob.block_map or not blob.block_length:
            return blob.byte_length
        pieces = await read_map(self.core, blob, wait=True, timeout=timeout)
        return sum(size for _, size in pieces)

    async def ranges(self, blob: BlobId, *, wait: bool = True) -> list[tuple[int, int]]:
        """The ranges of blocks with a content, its block map first."""
        whole = [(blob.block_offset, blob.block_end)] if blob.block_length else []
        if not blob.block_map or not whole:
            return whole
        pieces = await read_map(self.core, blob, wait=wait, timeout=None)
        return whole + runs([piece.block for piece in pieces])

    async def has(self, blob: BlobId) -> bool:
        """Whether all of a content is here."""
        if blob.block_map and not self.core.has(blob.block_offset, blob.block_end):
            return False
        return all(self.core.has(start, end) for start, end in await self.ranges(blob))

    async def clear(self, blob: BlobId) -> int:
        """Free the local disk space of a content; returns bytes freed. It can be fetched again."""
        freed = 0
        if blob.block_map and not self.core.has(blob.block_offset, blob.block_end):
            return 0
        for start, end in await self.ranges(blob, wait=False):
            freed += await self.core.clear(start, end)
        return freed

    async def close(self) -> None:
        """Close the log session."""
        await self.core.close()
