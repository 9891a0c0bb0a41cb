"""One raw UDX stream between two processes, 64 KiB writes, nothing on top.

What is timed begins with the first bytes at the reader.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from benchmarks.jobs.bare import run_bare
from holdfast.net.udp.socket import UdpSocket

HOST, SOURCE, READER = "127.0.0.1", 1, 2
_kept: list[object] = []


class _Source(asyncio.Protocol):
    def __init__(self, size: int, total: int) -> None:
        self._block, self._left, self._stopped = os.urandom(size), total, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._go()

    def pause_writing(self) -> None:
        self._stopped = True

    def resume_writing(self) -> None:
        self._stopped = False
        self._go()

    def _go(self) -> None:
        while self._left > 0 and not self._stopped:
            self._left -= len(self._block)
            self._transport.write(self._block)


class _Reader(asyncio.BufferedProtocol):
    def __init__(self, total: int) -> None:
        self._buffer = memoryview(bytearray(256 * 1024))
        self._left, self._began = total, 0.0
        self.seconds: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"ready")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._began = self._began or time.perf_counter()
        self._left -= nbytes
        if self._left <= 0 and not self.seconds.done():
            self.seconds.set_result(time.perf_counter() - self._began)


async def source(arguments: dict[str, Any]) -> dict[str, Any]:
    size, count = arguments["size"], arguments["count"]
    socket = await UdpSocket.bind(HOST)

    def first(where: UdpSocket, addr: tuple[str, int]) -> bool:
        if not stream.stream.connected:
            stream.connect(where, READER, addr)
        return True

    stream = socket.stream(SOURCE, on_first_packet=first)
    stream.set_protocol(_Source(size, size * count))
    _kept.append(socket)
    return {"port": socket.port}


async def reader(arguments: dict[str, Any]) -> dict[str, float]:
    total = arguments["size"] * arguments["count"]
    socket = await UdpSocket.bind(HOST)
    stream, protocol = socket.stream(READER), _Reader(total)
    stream.set_protocol(protocol)
    stream.connect(socket, SOURCE, (HOST, arguments["port"]))
    _kept.append(socket)
    seconds = await protocol.seconds
    return {"mbPerSecond": total / 1e6 / seconds}


if __name__ == "__main__":
    run_bare({"source": source, "reader": reader})
