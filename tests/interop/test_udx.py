"""Raw UDX streams between Holdfast and udx-native, both directions."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.net.udp.socket import UdpSocket
from holdfast.net.udp.transport import UdxTransport
from tests.interop.peer import HERE, JsPeer
from tests.interop.sizes import size
from tests.net.udx_ends import LOCAL, Collector

BYTES = size(8, 64) * 1024 * 1024
THEIRS = 7
"""The id of the stream on the JavaScript side."""


def pattern(count: int) -> bytes:
    """The bytes that both sides send: no slice at a packet's length is like another."""
    piece = hashlib.sha256(b"udx").digest()
    return (piece * (count // len(piece) + 1))[:count]


class Pair:
    """A stream here, and one there."""

    def __init__(self, js: JsPeer, socket: UdpSocket, stream: UdxTransport, port: int) -> None:
        self.js, self.socket, self.stream, self.port = js, socket, stream, port
        self.ours = Collector()

    async def connect(self) -> None:
        self.stream.connect(self.socket, THEIRS, (LOCAL, self.port))
        await self.there()

    async def there(self) -> None:
        """Only the other side knows where we are."""
        await self.call("connect", remoteId=self.stream.id, port=self.socket.port)

    async def call(self, command: str, **arguments: object) -> dict[str, object]:
        return await self.js.call(command, local=THEIRS, **arguments)  # type: ignore[no-any-return]


@asynccontextmanager
async def pair(directory: Path, *, connect: bool = True, **options: bool) -> AsyncIterator[Pair]:
    js = await JsPeer.start(directory, HERE / "js" / "udx.js")
    socket = await UdpSocket.bind(LOCAL)
    try:
        opened = await js.call("open", local=THEIRS, **options)
        stream = socket.stream(on_first_packet=lambda _socket, _addr: True)
        made = Pair(js, socket, stream, opened["port"])
        stream.set_protocol(made.ours)
        if connect:
            await made.connect()
        yield made
    finally:
        await socket.close()
        await js.stop()


async def test_javascript_gets_what_we_send(tmp_path: Path) -> None:
    data = pattern(BYTES)
    async with pair(tmp_path) as p:
        p.stream.write(data)
        p.stream.write_eof()
        state = await p.call("untilEnded")
        assert state["bytes"] == BYTES
        assert state["digest"] == hashlib.sha256(data).hexdigest()
        await p.call("end")
        assert await p.ours.over() is None
        assert (await p.call("untilClosed"))["error"] is None
        assert p.stream.stats.mtu == 1500


async def test_we_get_what_javascript_sends(tmp_path: Path) -> None:
    async with pair(tmp_path) as p:
        await p.call("write", bytes=BYTES, end=True)
        await p.ours.ended
        assert bytes(p.ours.data) == pattern(BYTES)
        assert await p.ours.over() is None
        assert (await p.call("untilClosed"))["error"] is None


async def test_both_directions_at_once(tmp_path: Path) -> None:
    data = pattern(BYTES)
    async with pair(tmp_path, echo=True) as p:
        p.stream.write(data)
        p.stream.write_eof()
        assert await p.ours.got(BYTES) == data
        assert await p.ours.over() is None


async def test_the_first_packet_may_come_before_we_connect(tmp_path: Path) -> None:
    async with pair(tmp_path, connect=False) as p:
        await p.there()
        await p.call("write", bytes=1000)
        p.stream.connect(p.socket, THEIRS, (LOCAL, p.port))
        assert await p.ours.got(1000) == pattern(1000)


async def test_their_firewall_sees_our_first_packet(tmp_path: Path) -> None:
    async with pair(tmp_path, connect=False) as p:
        p.stream.connect(p.socket, THEIRS, (LOCAL, p.port))
        p.stream.write(b"here I am")
        state = await p.call("untilStranger")
        assert state["strangers"] == [p.socket.port]
        await p.there()
        assert (await p.call("untilBytes", bytes=9))["bytes"] == 9


async def test_messages(tmp_path: Path) -> None:
    async with pair(tmp_path, connect=False) as p:
        heard: list[bytes] = []
        p.stream.on_message = heard.append
        await p.connect()
        p.stream.send_message(b"are you there?")
        assert (await p.call("untilMessages", count=1))["messages"] == ["are you there?"]
        await p.call("message", text="yes")
        await p.call("write", bytes=1)
        await p.ours.got(1)
        assert heard == [b"yes"]


async def test_a_reader_that_stops_stops_the_writer(tmp_path: Path) -> None:
    """The window closes at 4 MiB; opened again, it all arrives."""
    count = 16 * 1024 * 1024
    async with pair(tmp_path) as p:
        p.stream.pause_reading()
        writing = asyncio.create_task(p.call("write", bytes=count, end=True))
        while p.stream.stream.inbox.window > 2048:
            await p.call("state")
        assert p.stream.stream.inbox.waiting < 5 * 1024 * 1024
        p.stream.resume_reading()
        await writing
        assert await p.ours.got(count) == pattern(count)


@pytest.mark.parametrize("who", ["we", "they"])
async def test_giving_up_is_told(tmp_path: Path, who: str) -> None:
    async with pair(tmp_path) as p:
        p.stream.write(b"hello")
        await p.call("untilBytes", bytes=5)
        if who == "we":
            p.stream.abort()
            assert (await p.call("untilClosed"))["error"] == "ECONNRESET"
            assert await p.ours.over() is None
        else:
            await p.call("destroy")
            assert isinstance(await p.ours.over(), ConnectionResetError)


async def test_a_stream_moves_to_another_socket(tmp_path: Path) -> None:
    """Half of the bytes come from one address, half from another."""
    data = pattern(BYTES)
    async with pair(tmp_path) as p:
        half = len(data) // 2
        p.stream.write(data[:half])
        await p.call("untilBytes", bytes=half // 2)
        other = await UdpSocket.bind(LOCAL, table=p.socket.table)
        p.stream.change_remote(other, THEIRS, (LOCAL, p.port))
        await p.call("changeRemote", remoteId=p.stream.id, port=other.port)
        p.stream.write(data[half:])
        p.stream.write_eof()
        state = await p.call("untilEnded")
        assert state["digest"] == hashlib.sha256(data).hexdigest()
        await other.close()


async def test_heartbeats_are_answered(tmp_path: Path) -> None:
    async with pair(tmp_path) as p:
        beats = p.stream.stream.heard
        await p.call("keepAlive", milliseconds=20)
        while p.stream.stream.heard < beats + 3:
            await p.call("state")
        assert (await p.call("state"))["error"] is None
