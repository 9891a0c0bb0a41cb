"""Streams over real sockets, through the transport that asyncio protocols see."""

from __future__ import annotations

import asyncio
import os

import pytest

from holdfast.errors import ClosedError, HoldfastError
from holdfast.net import Connection
from holdfast.net.udp.socket import UdpSocket
from holdfast.net.udp.writing import SEND_BUFFER
from tests.net.loopback import ALICE, BOB, until
from tests.net.udx_ends import LOCAL, Collector, Ends, two_ends

MIB = 1024 * 1024


async def test_bytes_arrive_in_order_both_ways() -> None:
    there, back = os.urandom(3 * MIB), os.urandom(MIB)
    async with two_ends() as ends:
        near, far = ends.collect()
        ends.a.writelines(
            [there[:MIB], memoryview(there)[MIB : 2 * MIB], bytearray(there[2 * MIB :])]
        )
        ends.b.write(back)
        assert await far.got(len(there)) == there
        assert await near.got(len(back)) == back
        assert ends.a.stats.bytes_sent == len(there) == ends.b.stats.bytes_received
        assert ends.a.stats.rtt > 0 and ends.a.stats.cwnd > 0 and ends.a.stats.mtu == 1500


async def test_close_sends_everything_and_ends_both() -> None:
    data = os.urandom(2 * MIB)
    async with two_ends() as ends:
        near, far = ends.collect()
        ends.a.write(data)
        ends.a.close()
        assert ends.a.is_closing()
        assert await far.over() is None and await near.over() is None
        assert bytes(far.data) == data
        assert far.calls == ["made", "eof", "lost"]


async def test_half_open_streams_go_on_the_other_way() -> None:
    async with two_ends() as ends:
        near, far = ends.collect(half_open=True)
        ends.a.write(b"question")
        ends.a.write_eof()
        await far.ended
        ends.b.write(b"answer")
        assert await near.got(6) == b"answer"
        ends.b.close()
        assert await near.over() is None and await far.over() is None


async def test_close_does_not_wait_for_ever_for_the_other_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.net.udp.transport.CLOSE_WAIT", 0.0)
    async with two_ends() as ends:
        near, far = ends.collect(half_open=True)
        ends.a.write(b"bye")
        ends.a.close()
        assert await near.over() is None
        assert isinstance(await far.over(), ConnectionResetError)
        assert bytes(far.data) == b"bye"


async def test_abort_tells_the_other_side() -> None:
    async with two_ends() as ends:
        near, far = ends.collect()
        ends.a.write(b"x")
        await far.got(1)
        ends.a.abort()
        ends.a.abort()
        assert await near.over() is None
        assert isinstance(await far.over(), ConnectionResetError)
        ends.b.write(b"too late")
        ends.b.close()


async def test_a_paused_reader_closes_the_window_and_loses_nothing() -> None:
    data = os.urandom(12 * MIB)
    async with two_ends() as ends:
        _near, far = ends.collect()
        ends.b.pause_reading()
        assert not ends.b.is_reading()
        ends.a.write(data)
        ends.a.write_eof()
        await until(lambda: ends.a.stream.sender.blocked)
        waiting = ends.b.stream.inbox.waiting
        assert 3 * MIB < waiting < 5 * MIB and not far.data
        ends.b.resume_reading()
        assert await far.got(len(data)) == data
        await far.ended


async def test_writers_are_told_to_stop_and_to_go_on() -> None:
    async with two_ends() as ends:
        near, far = ends.collect()
        ends.a.set_write_buffer_limits(high=0)
        assert ends.a.get_write_buffer_limits() == (0, 0)
        ends.a.write(bytes(SEND_BUFFER))
        assert "pause" not in near.calls
        ends.a.write(bytes(MIB))
        assert near.calls[-1] == "pause" and ends.a.get_write_buffer_size() == MIB
        await far.got(SEND_BUFFER + MIB)
        assert near.calls[-1] == "resume"
        with pytest.raises(ValueError, match="high"):
            ends.a.set_write_buffer_limits(high=1, low=2)


async def test_what_is_written_before_connecting_waits() -> None:
    async with two_ends(connect=False) as ends:
        near, far = ends.collect()
        ends.a.write(b"early")
        assert near.calls == []
        ends.connect()
        assert near.calls == ["made"]
        assert await far.got(5) == b"early"
        with pytest.raises(RuntimeError):
            ends.a.connect(ends.sockets[0], 1, (LOCAL, 1))


async def test_the_first_packet_says_where_it_came_from() -> None:
    async with two_ends(connect=False) as ends:
        near, far = ends.collect()
        one, other = ends.sockets
        seen: list[tuple[UdpSocket, tuple[str, int]]] = []

        def first(socket: UdpSocket, addr: tuple[str, int]) -> bool:
            seen.append((socket, addr))
            if not ends.b.stream.connected:
                ends.b.connect(socket, ends.a.id, addr)
            return True

        ends.b.on_first_packet = first
        ends.a.connect(one, ends.b.id, (LOCAL, other.port))
        ends.a.write(b"knock")
        assert await far.got(5) == b"knock"
        assert seen == [(other, (LOCAL, one.port))]


async def test_strangers_are_not_heard() -> None:
    """Somebody who knows the stream's id, but has another address, changes nothing."""
    async with two_ends() as ends:
        _near, far = ends.collect()
        stranger = await UdpSocket.bind(LOCAL)
        forged = stranger.stream()
        forged.connect(stranger, ends.b.id, (LOCAL, ends.sockets[1].port))
        forged.set_protocol(Collector())
        forged.write(b"evil")
        forged.abort()
        ends.a.write(b"good")
        assert await far.got(4) == b"good"
        await until(lambda: ends.b.stream.ignored)
        assert not ends.b.is_closing()
        await stranger.close()


async def test_a_stream_moves_to_other_sockets_while_it_sends() -> None:
    data = os.urandom(8 * MIB)
    async with two_ends() as ends:
        _near, far = ends.collect()
        changed = asyncio.Event()
        ends.a.on_remote_changed = changed.set
        ends.a.write(data[: 4 * MIB])
        await far.got(MIB)
        one = await UdpSocket.bind(LOCAL, table=ends.sockets[0].table)
        other = await UdpSocket.bind(LOCAL, table=ends.sockets[1].table)
        ends.a.change_remote(one, ends.b.id, (LOCAL, other.port))
        ends.b.change_remote(other, ends.a.id, (LOCAL, one.port))
        ends.a.write(data[4 * MIB :])
        assert await far.got(len(data)) == data
        await asyncio.wait_for(changed.wait(), 10)
        await one.close()
        await other.close()


async def test_a_protocol_that_fails_ends_its_stream_only(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Collector):
        def data_received(self, data: bytes) -> None:
            raise RuntimeError("no")

    async with two_ends() as ends:
        near, far = Collector(), Bad()
        ends.a.set_protocol(near)
        ends.b.set_protocol(far)
        ends.a.write(b"x")
        assert isinstance(await near.over(), ConnectionResetError)
        assert "a protocol over UDX failed" in caplog.text


async def test_closing_a_socket_ends_its_streams() -> None:
    async with two_ends() as ends:
        near, far = ends.collect()
        ends.a.write(b"x")
        await far.got(1)
        await ends.sockets[0].close()
        assert await near.over() is None
        assert isinstance(await far.over(), ConnectionResetError)
        with pytest.raises(ClosedError):
            ends.sockets[0].stream()


async def test_a_closed_stream_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.udx.stream.LINGER", 0.01)
    async with two_ends() as ends:
        near, far = ends.collect()
        ends.a.close()
        await near.over()
        await far.over()
        await until(lambda: not any(len(each.table) for each in ends.sockets))


async def test_extra_info() -> None:
    async with two_ends(connect=False) as ends:
        assert ends.a.get_extra_info("peername") is None
        ends.connect()
        assert ends.a.get_extra_info("peername") == (LOCAL, ends.sockets[1].port)
        assert ends.a.get_extra_info("sockname") == (LOCAL, ends.sockets[0].port)
        assert ends.a.get_extra_info("udx") is ends.a
        assert ends.a.get_extra_info("socket") is None
        assert ends.a.can_write_eof()
        with pytest.raises(RuntimeError):
            ends.a.get_protocol()
        protocol = Collector()
        ends.a.set_protocol(protocol)
        assert ends.a.get_protocol() is protocol


# -- the connections of Holdfast ----------------------------------------------------------------


def connections(ends: Ends) -> tuple[Connection, Connection]:
    """The two ends as authenticated, encrypted connections."""
    near, far = Connection(True, ALICE), Connection(False, BOB)
    ends.a.set_protocol(near)
    ends.b.set_protocol(far)
    return near, far


async def test_connections_exchange_messages() -> None:
    async with two_ends() as ends:
        near, far = connections(ends)
        heard: list[bytes] = []
        blocks = [os.urandom(64 * 1024) for _ in range(64)]
        all_here = asyncio.Event()

        def take(message: memoryview) -> None:
            heard.append(bytes(message))
            if len(heard) == len(blocks):
                all_here.set()

        await asyncio.gather(near.wait_open(), far.wait_open())
        assert near.remote_public_key == BOB.public_key
        assert near.handshake_hash == far.handshake_hash
        channel = near.mux.channel("test")
        channel.open()
        far.mux.channel("test", handlers=[take]).open()
        for block in blocks:
            channel.send(0, block)
        await asyncio.wait_for(all_here.wait(), 20)
        assert heard == blocks
        near.close()
        await asyncio.gather(near.wait_closed(), far.wait_closed())
        assert isinstance(far.reason, HoldfastError)
