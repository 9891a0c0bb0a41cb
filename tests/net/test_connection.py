from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from holdfast.errors import ClosedError, DecodeError, HoldfastError, PeerUnreachable
from holdfast.net import Connection
from holdfast.net.connection import RECEIVE_BUFFER
from holdfast.net.outgoing import HIGH_WATER
from tests.net.loopback import ALICE, BOB, closed, listening, pair, until


def collect(connection: Connection, total: int) -> asyncio.Future[list[bytes]]:
    """Take the messages of channel "test" until ``total`` have come."""
    messages: list[bytes] = []
    done: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    def take(body: memoryview) -> None:
        messages.append(bytes(body))
        if len(messages) == total:
            done.set_result(messages)

    def requested(id: bytes, handshake: memoryview) -> bool:
        connection.mux.channel("test", id, handlers=[take]).open()
        return False

    connection.mux.on_request("test", requested)
    return done


async def test_both_ends_know_each_other() -> None:
    async with pair() as (near, far):
        assert near.remote_public_key == BOB.public_key
        assert far.remote_public_key == ALICE.public_key
        assert near.handshake_hash == far.handshake_hash
        assert near.is_initiator and not far.is_initiator
        assert near.opened and far.opened
        assert far.remote_address is not None and far.remote_address.host == "127.0.0.1"


async def test_messages_arrive_whole_and_in_order() -> None:
    async with pair() as (near, far):
        sizes = [0, 1, 100, 70_000, 5, 1 << 20, 3]
        sent = [bytes([n]) * size for n, size in enumerate(sizes)]
        received = collect(far, len(sent))
        channel = near.mux.channel("test")
        channel.open()
        for message in sent:
            channel.send(0, message)
        assert await received == sent
        # The far end has read it all; what the near end still holds back is nothing.
        assert near.bytes_sent >= far.bytes_received > sum(map(len, sent))


async def test_small_writes_of_one_turn_leave_in_few_pieces() -> None:
    async with pair() as (near, far):
        received = collect(far, 1000)
        channel = near.mux.channel("test")
        opened = asyncio.Event()
        channel.on_open = lambda handshake: opened.set()
        channel.open()
        await opened.wait()
        before = near.bytes_sent
        loop = asyncio.get_running_loop()
        start = loop.time()
        for _ in range(1000):
            channel.send(0, b"x")
        await received
        assert loop.time() - start < 0.5, "a turn of the loop, not a timer"
        # 1,000 messages of 1 byte: one frame (20 bytes more) with three bytes around each.
        assert near.bytes_sent - before < 1000 * 4 + 200


async def test_what_is_sent_in_the_same_turn_as_the_close_arrives() -> None:
    async with pair() as (near, far):
        received = collect(far, 2)
        channel = near.mux.channel("test")
        channel.open()
        channel.send(0, b"almost forgotten")
        channel.send(0, b"y" * 300_000)
        near.close()
        assert await received == [b"almost forgotten", b"y" * 300_000]
        assert isinstance(await closed(far), ClosedError)
        assert isinstance(near.reason, ClosedError)


async def test_a_reader_that_stops_bounds_what_the_sender_holds() -> None:
    async with pair() as (near, far):
        total, block = 400, bytes(65536)
        received = collect(far, total)
        channel = near.mux.channel("test")
        opened = asyncio.Event()
        channel.on_open = lambda handshake: opened.set()
        channel.open()
        await opened.wait()
        far.pause_reading()
        left, stalled = total, asyncio.Event()

        def send() -> None:
            nonlocal left
            while left and channel.drained:
                channel.send(0, block)
                left -= 1
            if left:
                stalled.set()

        channel.on_drain = send
        send()
        await stalled.wait()
        outgoing = near._outgoing
        assert outgoing is not None
        await until(lambda: near._stopped)
        assert left > 0
        assert outgoing.waiting <= 2 * HIGH_WATER
        far.resume_reading()
        assert len(await received) == total and left == 0


async def test_close_callbacks_get_the_reason_once_even_if_they_come_late() -> None:
    async with pair() as (near, far):
        reasons: list[HoldfastError] = []
        near.on_close(reasons.append)
        ends: list[bool] = []
        channel = near.mux.channel("test", on_close=ends.append)
        channel.open()
        reason = PeerUnreachable("The cable was cut.")
        near.abort(reason)
        near.close()
        near.on_close(reasons.append)
        assert reasons == [reason, reason]
        assert ends == [True]
        await closed(far)


async def test_a_message_that_breaks_the_rules_ends_the_connection_with_its_error() -> None:
    async with pair() as (near, far):
        near._stream.write(bytes([0, 1, 99, 1, 120, 0]))  # an open under the number 99
        near._wake()
        assert isinstance(await closed(far), DecodeError)
        await closed(near)


async def test_a_handler_that_fails_ends_its_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with pair() as (near, far):

        def fail(body: memoryview) -> None:
            raise ZeroDivisionError("a fault of ours")

        far.mux.on_request("test", lambda id, _: far.mux.channel("test", handlers=[fail]).open())
        channel = near.mux.channel("test")
        channel.open()
        channel.send(0, b"")
        error = await closed(far)
        assert isinstance(error, HoldfastError) and "ZeroDivisionError" in str(error)
        assert "a message handler failed" in caplog.text


async def test_too_much_for_channels_nobody_opened_pauses_reading_until_somebody_does() -> None:
    async with pair() as (near, far):
        arrived = asyncio.Event()

        def keep(id: bytes, handshake: memoryview) -> bool:
            arrived.set()
            return True

        far.mux.on_request("test", keep)
        channel = near.mux.channel("test")
        channel.open()
        for _ in range(5):
            channel.send(0, bytes(20_000))
        await arrived.wait()
        await until(lambda: not far.mux.reading)
        assert far._pauses == 1
        got: list[int] = []
        far.mux.channel("test", handlers=[lambda body: got.append(len(body))]).open()
        await until(lambda: not far._pauses)
        assert got == [20_000] * 5


async def test_keep_alives_are_sent_and_swallowed() -> None:
    async with pair() as (near, far):
        before = far.bytes_received
        near.ping()
        await until(lambda: far.bytes_received != before)
        assert far.bytes_received - before == 3 + 17
        assert near.opened and far.opened


async def test_garbage_instead_of_a_handshake_is_refused() -> None:
    async with listening() as (listener, arrivals):
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(RECEIVE_BUFFER))
        with suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        assert arrivals.queue.empty()
        await until(lambda: not listener.gate.connections)


async def test_nodelay_is_set() -> None:
    async with pair() as (near, _):
        assert near._transport is not None
        raw = near._transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
