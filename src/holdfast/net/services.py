"""Two small services to see whether a connection works: ping and echo.

Each is a channel with one request and one answer type, so that any number of them can run over one
connection, beside everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from holdfast.errors import ClosedError, RemoteError
from holdfast.net.connection import Connection
from holdfast.wire import Channel

PING = "holdfast/ping"
ECHO = "holdfast/echo"

ECHO_WINDOW = 512 * 1024
"""Bytes on their way at once: enough to fill a fast line, little enough to bound both sides."""
ECHO_PIECE = 64 * 1024
"""Bytes in one echo message."""
MAX_PING = 64
"""Bytes that a ping may carry: it is there to be answered, not to be stored."""


def serve_ping(connection: Connection) -> None:
    """Answer pings of the other side."""
    _serve(connection, PING, MAX_PING)


def serve_echo(connection: Connection) -> None:
    """Send back what the other side sends to be echoed."""
    _serve(connection, ECHO, ECHO_PIECE)


def _serve(connection: Connection, protocol: str, limit: int) -> None:
    def requested(id: bytes, handshake: memoryview) -> bool:
        _Repeater(connection, connection.mux.channel(protocol, id), limit)
        return False

    connection.mux.on_request(protocol, requested)


class _Repeater:
    """Sends everything back; whoever does not take the answers gets to send no more questions."""

    def __init__(self, connection: Connection, channel: Channel, limit: int) -> None:
        self._connection, self._channel, self._limit = connection, channel, limit
        self._paused = False
        channel.handlers = [self._repeat]
        channel.on_drain = self._resume
        channel.on_close = lambda remote: self._resume()
        channel.open()

    def _repeat(self, body: memoryview) -> None:
        if len(body) > self._limit:
            raise RemoteError("The other side sent more than it may have repeated.")
        self._channel.send(0, body)
        if not self._paused and not self._channel.drained:
            self._paused = True
            self._connection.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._connection.resume_reading()


async def ping(connection: Connection, *, timeout: float = 10.0) -> float:
    """Seconds of one round trip. Raises `RemoteError` when the other side does not answer."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()

    def answer(body: memoryview) -> None:
        if not answered.done():
            answered.set_result(None)

    channel = connection.mux.channel(PING, handlers=[answer])
    channel.on_close = partial(_refused, connection, answered)
    opened: asyncio.Future[None] = loop.create_future()
    channel.on_open = lambda handshake: opened.set_result(None)
    channel.open()
    try:
        async with asyncio.timeout(timeout):
            await _first(opened, answered)
            start = loop.time()
            channel.send(0, b"")
            await answered
            return loop.time() - start
    except TimeoutError:
        raise RemoteError("The other side did not answer the ping in time.") from None
    finally:
        channel.close()


async def _first(opened: asyncio.Future[None], failed: asyncio.Future[None]) -> None:
    await asyncio.wait([opened, failed], return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        await failed


class Echo:
    """A conversation in which the other side repeats everything; closed with `close`."""

    def __init__(self, connection: Connection, received: Callable[[bytes], None]) -> None:
        """``received`` gets what comes back, in order."""
        self._received = received
        self._on_way = 0
        self._moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = connection.mux.channel(ECHO, handlers=[self._back])
        self._channel.on_close = partial(_refused, connection, self._failed)
        self._channel.on_open = lambda handshake: self._move()
        self._channel.open()

    def _back(self, body: memoryview) -> None:
        self._on_way -= len(body)
        self._received(bytes(body))
        self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
        moved.set_result(None)

    async def send(self, data: bytes) -> None:
        """Send something to be repeated; waits while much is on its way. Raises `RemoteError`."""
        for start in range(0, len(data), ECHO_PIECE):
            piece = data[start : start + ECHO_PIECE]
            while not self._channel.opened or self._on_way + len(piece) > ECHO_WINDOW:
                await _first(self._moved, self._failed)
            self._on_way += len(piece)
            self._channel.send(0, piece)

    async def drain(self) -> None:
        """Wait until everything has come back. Raises `RemoteError`."""
        while self._on_way:
            await _first(self._moved, self._failed)

    def close(self) -> None:
        """End the conversation."""
        if self._failed.done():
            self._failed.exception()
        self._channel.close()


def _refused(connection: Connection, waiting: asyncio.Future[None], remote: bool) -> None:
    if waiting.done():
        return
    if not remote:
        waiting.cancel()
    elif connection.reason is not None:
        waiting.set_exception(ClosedError(connection.reason.message))
    else:
        waiting.set_exception(RemoteError("The other side does not offer this service."))
