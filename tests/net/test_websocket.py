"""WebSockets: spoken with an independent client, and with those who mean ill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect as websocket_connect
from websockets.asyncio.server import serve as websocket_serve
from websockets.exceptions import ConnectionClosed

from holdfast.errors import AddressError, HandshakeError, PeerUnreachable
from holdfast.net import Address, Limits, Listener
from holdfast.net.connection import Connection
from holdfast.net.services import Echo, ping, serve_echo, serve_ping
from holdfast.net.websocket.dial import (
    dial_any,
    dial_websocket,
    is_websocket,
    listen_websocket,
    websocket_address,
)
from holdfast.net.websocket.wire import MAX_INCOMING
from holdfast.wire import Mux, SecretStream
from tests.net.loopback import ALICE, BOB, Arrivals, closed, until


@asynccontextmanager
async def listening(limits: Limits | None = None) -> AsyncIterator[tuple[str, Listener, Arrivals]]:
    arrivals = Arrivals()
    listener = await listen_websocket("127.0.0.1:0", BOB, arrivals, limits=limits)
    try:
        yield f"ws://{listener.addresses[0]}/", listener, arrivals
    finally:
        await listener.close()


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Connection, Connection]]:
    async with listening() as (url, _, arrivals):
        near = await dial_any(url, ALICE, expected_key=BOB.public_key)
        far = await arrivals.next()
        try:
            yield near, far
        finally:
            near.close()
            far.close()
            await near.wait_closed()
            await far.wait_closed()


async def test_a_connection_runs_inside() -> None:
    async with pair() as (near, far):
        assert near.remote_public_key == BOB.public_key
        assert far.remote_public_key == ALICE.public_key
        assert near.remote_address is not None and far.remote_address is not None
        serve_ping(far)
        assert await ping(near) > 0
        serve_echo(near)
        back = bytearray()
        data = bytes(range(256)) * 12_000
        echo = Echo(far, back.extend)
        await echo.send(data)
        await echo.drain()
        assert bytes(back) == data


@pytest.mark.parametrize("end", [0, 1], ids=["by who dialled", "by who listened"])
async def test_what_was_sent_before_the_end_arrives_and_the_end_too(end: int) -> None:
    async with pair() as ends:
        sender, receiver = ends[end], ends[1 - end]
        got: list[int] = []

        def requested(id: bytes, handshake: memoryview) -> bool:
            receiver.mux.channel("t", handlers=[lambda body: got.append(len(body))]).open()
            return False

        receiver.mux.on_request("t", requested)
        channel = sender.mux.channel("t")
        channel.open()
        for _ in range(4):
            channel.send(0, bytes(200_000))
        sender.close()
        await closed(receiver)
        await closed(sender)
        assert got == [200_000] * 4


async def test_an_independent_websocket_client_is_served_whatever_its_origin_and_path() -> None:
    """The bytes of a connection, cut anywhere; as a page in a browser would send them."""
    async with (
        listening() as (url, _, arrivals),
        websocket_connect(url + "any/path", origin="https://elsewhere.example") as socket,  # type: ignore[arg-type]
    ):
        stream, mux = SecretStream(True, ALICE), Mux()
        serving: Connection | None = None
        pong = asyncio.Event()
        channel = mux.channel("holdfast/ping", handlers=[lambda body: pong.set()])
        while not pong.is_set():
            for data in stream.to_send():
                for start in range(0, len(data), 50):
                    await socket.send(bytes(data[start : start + 50]))
            if stream.opened and serving is None and stream._pull is not None:
                serving = await arrivals.next()
                serve_ping(serving)
                channel.open()
                channel.send(0, b"")
            for parts in mux.to_send():
                stream.write_parts(parts)
            for data in stream.to_send():
                # In fragments: one message in several frames.
                await socket.send([bytes(data[:3]), bytes(data[3:])])
            if stream._pull is None or serving is not None:
                answer = await asyncio.wait_for(socket.recv(), 10)
                assert isinstance(answer, bytes)
                for message in stream.receive(answer):
                    mux.receive(message)
        assert serving is not None
        serving.close()
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()


async def test_an_independent_websocket_server_is_understood() -> None:
    async def refuse(socket: object) -> None:
        """Speaks WebSocket, but nothing of ours."""
        await socket.send("text")  # type: ignore[attr-defined]

    async with websocket_serve(refuse, "127.0.0.1", 0) as server:
        host, port = next(iter(server.sockets)).getsockname()
        with pytest.raises(HandshakeError):
            await dial_websocket(f"ws://{host}:{port}", ALICE)


async def raw(url: str, *pieces: bytes) -> bytes:
    """Send bytes to the port; what comes back until it is closed."""
    reader, writer = await asyncio.open_connection(*websocket_address(url))
    for piece in pieces:
        writer.write(piece)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"\x00" * 500 + b"\r\n",
    ],
    ids=["a browser", "many headers", "a long line", "a form", "noise"],
)
async def test_whoever_does_not_speak_websocket_is_shown_out(request_: bytes) -> None:
    async with listening() as (url, listener, arrivals):
        answer = await raw(url, request_)
        assert b" 101 " not in answer.partition(b"\r\n")[0]
        await until(lambda: not listener.gate.connections)
        assert arrivals.queue.empty()


async def test_a_message_beyond_the_limit_ends_it_before_it_is_held() -> None:
    async with listening() as (url, listener, _), websocket_connect(url) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.send(bytes(MAX_INCOMING + 1))
            await socket.recv()
        await until(lambda: not listener.gate.connections)


async def test_text_is_refused() -> None:
    async with listening() as (url, listener, _), websocket_connect(url) as socket:
        await socket.send("hello")
        with pytest.raises(ConnectionClosed) as ended:
            await socket.recv()
        assert ended.value.rcvd is not None and ended.value.rcvd.code == 1003
        await until(lambda: not listener.gate.connections)


async def test_who_is_slow_with_the_headers_gives_way_to_others() -> None:
    """Counted from the first byte on, as those who are slow with the handshake inside."""
    limits = Limits(handshakes=4, handshakes_per_source=4)
    async with listening(limits) as (url, listener, arrivals):
        slow = [await asyncio.open_connection(*websocket_address(url)) for _ in range(4)]
        for _, writer in slow:
            writer.write(b"GET / HTTP/1.1\r\nHo")
        await until(lambda: listener.gate.handshakes == 4)
        honest = await dial_websocket(url, ALICE)
        await arrivals.next()
        assert honest.opened and listener.gate.refused >= 1
        reader, _ = slow[0]
        assert await asyncio.wait_for(_drained(reader), 10) == b""
        honest.close()
        for _, writer in slow:
            writer.close()
        await until(lambda: not listener.gate.connections)


async def _drained(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_what_cannot_be_dialled_says_so() -> None:
    async with listening() as (url, _, _):
        with pytest.raises(HandshakeError):
            await dial_websocket(url, ALICE, expected_key=ALICE.public_key)
        with pytest.raises(PeerUnreachable):
            await dial_websocket(url.replace("ws:", "wss:"), ALICE)
    with pytest.raises(PeerUnreachable, match="Nobody listens"):
        await dial_websocket(url, ALICE)


async def test_a_web_site_is_not_a_peer() -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        writer.close()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(HandshakeError, match="404"):
        await dial_websocket(f"ws://{host}:{port}/", ALICE)
    server.close()


def test_addresses() -> None:
    assert is_websocket("ws://a:1/") and is_websocket("WSS://a") and not is_websocket("a:1")
    assert websocket_address("ws://192.0.2.1:8080/x") == Address("192.0.2.1", 8080)
    assert websocket_address("ws://[::1]/") == Address("::1", 80)
    assert websocket_address("wss://relay.example") == Address("relay.example", 443)
    for bad in ("http://a/", "ws://", "ws://a:99999/", "ws://u:p@a/", "ws://a/#x", "ws://[::1/"):
        with pytest.raises(AddressError):
            websocket_address(bad)
