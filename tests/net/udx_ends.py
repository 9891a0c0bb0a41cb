"""Two UDX streams on this machine, and protocols that remember what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.net.udp.socket import UdpSocket
from holdfast.net.udp.transport import UdxTransport

LOCAL = "127.0.0.1"


class Collector(asyncio.Protocol):
    """Keeps everything; answers the end with an end, as asyncio does by itself."""

    def __init__(self, *, half_open: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.data = bytearray()
        self.calls: list[str] = []
        self.half_open = half_open
        self.ended: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[Exception | None] = loop.create_future()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.data += data
        for size, future in self._waiting:
            if len(self.data) >= size and not future.done():
                future.set_result(None)

    def eof_received(self) -> bool:
        self.calls.append("eof")
        self.ended.set_result(None)
        return self.half_open

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.calls.append("lost")
        self.lost.set_result(error)

    async def got(self, size: int) -> bytes:
        """Everything so far, once it is at least ``size`` bytes."""
        if len(self.data) < size:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((size, future))
            await asyncio.wait_for(future, 20)
        return bytes(self.data)

    async def over(self) -> Exception | None:
        """What `connection_lost` said, once it did."""
        return await asyncio.wait_for(asyncio.shield(self.lost), 20)


class Ends:
    """Two connected streams, each on a socket of its own."""

    def __init__(self, sockets: list[UdpSocket], streams: list[UdxTransport]) -> None:
        self.sockets = sockets
        self.a, self.b = streams
        self.protocols: list[Collector] = []

    def collect(self, *, half_open: bool = False) -> tuple[Collector, Collector]:
        """Give both a `Collector`."""
        near, far = Collector(half_open=half_open), Collector(half_open=half_open)
        self.a.set_protocol(near)
        self.b.set_protocol(far)
        return near, far

    def connect(self) -> None:
        """Tell each where the other is."""
        one, other = self.sockets
        self.a.connect(one, self.b.id, (LOCAL, other.port))
        self.b.connect(other, self.a.id, (LOCAL, one.port))


@asynccontextmanager
async def two_ends(*, connect: bool = True) -> AsyncIterator[Ends]:
    """Two streams, without protocols yet."""
    sockets = [await UdpSocket.bind(LOCAL), await UdpSocket.bind(LOCAL)]
    try:
        ends = Ends(sockets, [each.stream() for each in sockets])
        if connect:
            ends.connect()
        yield ends
    finally:
        for each in sockets:
            await each.close()
