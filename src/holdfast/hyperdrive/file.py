"""A file of a drive, opened for reading at any place."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import cast

from holdfast.errors import ClosedError, SeekError
from holdfast.hyperdrive.blobs import Blobs
from holdfast.hyperdrive.entry import FileEntry


class DriveFile:
    """Reads and seeks; fetches what it reads and a little ahead. One task at a time may use it."""

    def __init__(
        self, blobs: Blobs, entry: FileEntry, size: int, *, timeout: float | None = None
    ) -> None:
        self.entry = entry
        self.size = size
        """Bytes of the whole file."""
        self._blobs = blobs
        self._timeout = timeout
        self._at = 0
        self._stream: AsyncGenerator[bytes, None] | None = None
        self._rest = b""
        self._closed = False

    async def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes (fewer only at the end; all that is left when negative)."""
        if self._closed:
            raise ClosedError("This file is closed.")
        left = max(0, self.size - self._at)
        want = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while want > 0:
            chunk = self._rest or await self._next()
            part = chunk[:want]
            self._rest = chunk[want:]
            self._at += len(part)
            want -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _next(self) -> bytes:
        if self._stream is None:
            assert self.entry.blob is not None
            stream = self._blobs.chunks(self.entry.blob, self._at, timeout=self._timeout)
            self._stream = cast("AsyncGenerator[bytes, None]", stream)
        try:
            return await anext(self._stream)
        except BaseException:
            self._stream = None  # a failed stream is over; the next read starts anew
            raise

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte (``whence`` as of files); returns the position. `SeekError` before 0."""
        if self._closed:
            raise ClosedError("This file is closed.")
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        target = base + offset
        if target < 0:
            raise SeekError("A file has no byte before its first.")
        ahead = target - self._at
        if 0 <= ahead <= len(self._rest):
            self._rest = self._rest[ahead:]
        else:
            await self._stop()
        self._at = target
        return target

    def tell(self) -> int:
        """The position of the next byte to be read."""
        return self._at

    async def _stop(self) -> None:
        stream, self._stream, self._rest = self._stream, None, b""
        if stream is not None:
            await stream.aclose()

    async def close(self) -> None:
        """Fetch nothing more."""
        self._closed = True
        await self._stop()

    async def __aenter__(self) -> DriveFile:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
