"""A proxy between two ends of a connection that keeps a copy of every byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Wiretap:
    """Listens on ``port`` and passes everything on to another one."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self.heard = bytearray()
        """All bytes of both directions."""
        self._to = to
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass both directions on until both have ended."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                self.heard += data
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wiretap(to: int) -> AsyncIterator[Wiretap]:
    """Tap the way to a port of this machine."""
    tap = Wiretap(to)
    server = await asyncio.start_server(tap.connected, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
