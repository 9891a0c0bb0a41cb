"""Content on its way in: bytes, files and iterators become blocks of 64 KiB."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any, cast

from holdfast.errors import LocalError

BLOCK = 1 << 16
"""Bytes of a block of content, as every Hyperblobs writes them."""
CHUNK = 16 * BLOCK
"""Bytes read and appended at a time."""

Source = (
    bytes
    | bytearray
    | memoryview
    | os.PathLike[str]
    | IO[bytes]
    | AsyncIterable[bytes]
    | Iterable[bytes]
)
"""What can be put: bytes, a path, an open binary file, or an iterator of pieces of any size."""

_ZEROS = bytes(CHUNK)


async def blocks_of(source: Source) -> AsyncGenerator[list[bytes | memoryview], None]:
    """The content as lists of blocks, about `CHUNK` at a time; only the last block may be short.

    Errors of the source are raised as they are.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        view = memoryview(source).cast("B")
        for at in range(0, len(view), CHUNK):
            yield cut(view[at : at + CHUNK])
        return
    parts: list[bytes] = []
    have = 0
    async with aclosing(_chunks(source)) as chunks:
        async for chunk in chunks:
            parts.append(chunk)
            have += len(chunk)
            if have < CHUNK:
                continue
            data = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
            whole = have - have % BLOCK
            yield cut(data[:whole])
            have -= whole
            parts = [bytes(data[whole:])] if have else []
    if have:
        yield cut(memoryview(b"".join(parts)))


def cut(data: memoryview) -> list[bytes | memoryview]:
    """Blocks of 64 KiB that share the memory of ``data``."""
    if len(data) <= BLOCK:
        return [data] if data else []
    return [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]


async def _chunks(source: Source) -> AsyncGenerator[bytes, None]:
    if isinstance(source, os.PathLike):
        file = await asyncio.to_thread(open_plain, Path(source))
        with file:
            async with aclosing(_file_chunks(file)) as chunks:
                async for chunk in chunks:
                    yield chunk
    elif hasattr(source, "read"):
        async with aclosing(_file_chunks(source)) as chunks:
            async for chunk in chunks:
                yield chunk
    elif hasattr(source, "__aiter__"):
        async for chunk in source:
            yield bytes(chunk)
    else:
        if isinstance(source, str):  # type: ignore[unreachable]  # callers are not all typed
            raise LocalError("A file cannot be made of text.", "Give bytes or a pathlib.Path.")
        for chunk in cast("Iterable[bytes]", source):
            yield bytes(chunk)


def open_plain(path: Path) -> PlainFile:
    """Open a file for reading without a buffer in between."""
    return PlainFile(os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))


class PlainFile(io.FileIO):
    """A file that is read front to back; holes are not read but made up."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "rb")
        status = os.fstat(descriptor)
        self._at = 0
        self._size = status.st_size
        self._data_at = 0
        self._sparse = hasattr(os, "SEEK_DATA") and status.st_blocks * 512 < status.st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes: as many as asked for unless the file ends."""
        want = -1 if size is None else size
        if self._sparse and 0 <= want <= len(_ZEROS) and self._in_hole(want):
            self._at += want
            os.lseek(self.fileno(), self._at, os.SEEK_SET)
            return _ZEROS if want == len(_ZEROS) else _ZEROS[:want]
        data = super().read(want)
        self._at += len(data)
        return data

    def _in_hole(self, size: int) -> bool:
        """Whether nothing but a hole lies before the next ``size`` bytes end."""
        if self._at + size > self._size:
            return False
        if self._data_at <= self._at:
            try:
                self._data_at = os.lseek(self.fileno(), self._at, os.SEEK_DATA)
            except OSError:  # no more data: the rest is a hole
                self._data_at = self._size
            os.lseek(self.fileno(), self._at, os.SEEK_SET)
        return self._at + size <= self._data_at


async def _file_chunks(file: Any) -> AsyncGenerator[bytes, None]:
    """Read in a thread, always one chunk ahead of what is being stored."""
    loop = asyncio.get_running_loop()
    pending = loop.run_in_executor(None, file.read, CHUNK)
    try:
        while True:
            chunk = await asyncio.shield(pending)
            if not chunk:
                return
            pending = loop.run_in_executor(None, file.read, CHUNK)
            yield bytes(chunk)
    finally:
        if not pending.done():  # the thread must be out of the file before it is closed
            await asyncio.wait([pending])
        if not pending.cancelled():
            pending.exception()
