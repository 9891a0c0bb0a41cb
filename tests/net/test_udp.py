"""One socket for everything: what arrives goes where it belongs."""

from __future__ import annotations

import asyncio
import errno
import os
import socket as sockets
from collections.abc import AsyncIterator, Callable

import pytest

from holdfast.errors import ListenError
from holdfast.net.udp.offload import Datagrams
from holdfast.net.udp.socket import UdpSocket
from holdfast.udx import Burst, Header
from holdfast.udx.packet import DATA, encode
from tests.net.loopback import until
from tests.net.udx_ends import LOCAL, Collector, two_ends

MIB = 1024 * 1024


@pytest.fixture
async def pair() -> AsyncIterator[tuple[UdpSocket, UdpSocket]]:
    one, other = await UdpSocket.bind(LOCAL), await UdpSocket.bind(LOCAL)
    yield one, other
    await one.close()
    await other.close()
    await other.close()


def at(socket: UdpSocket) -> tuple[str, int]:
    return LOCAL, socket.port


async def test_datagrams_and_probes_are_told_apart(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, other = pair
    datagrams: list[tuple[bytes, tuple[str, int]]] = []
    probes: list[tuple[str, int]] = []
    other.on_datagram = lambda data, addr: datagrams.append((data, addr))
    other.on_probe = probes.append
    unknown = encode(Header(DATA, 0, 77, 1, 0, 0)) + b"x"
    for data in (b"\x03 request", b"\0", b"\xff\x01 short", b"", unknown, b"\x13 reply"):
        one.send(data, at(other))
    await until(lambda: len(datagrams) == 4)
    assert [data for data, _ in datagrams] == [
        b"\x03 request",
        b"\xff\x01 short",
        b"",
        b"\x13 reply",
    ]
    assert {addr for _, addr in datagrams} == {at(one)} == set(probes) and len(probes) == 1
    assert other.unknown == 1


async def test_nobody_has_to_listen(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, other = pair
    one.send(b"anybody?", at(other))
    one.send(b"\0", at(other))
    got: list[bytes] = []
    one.send(b"you?", at(other))
    await asyncio.sleep(0)
    other.on_datagram = lambda data, addr: got.append(data)
    one.send(b"now", at(other))
    await until(lambda: b"now" in got)


async def test_a_failing_handler_harms_nobody(
    pair: tuple[UdpSocket, UdpSocket], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = pair
    got: list[bytes] = []

    def handler(data: bytes, addr: tuple[str, int]) -> None:
        got.append(data)
        if data == b"bad":
            raise RuntimeError("no")

    other.on_datagram = handler
    one.send(b"bad", at(other))
    one.send(b"good", at(other))
    await until(lambda: got == [b"bad", b"good"])
    assert "a datagram's handler failed" in caplog.text


async def test_a_time_to_live_is_for_one_datagram(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, other = pair
    raw = one._datagrams.socket
    usual = raw.getsockopt(sockets.IPPROTO_IP, sockets.IP_TTL)
    probes: list[tuple[str, int]] = []
    other.on_probe = probes.append
    one.send(b"\0", at(other), ttl=5)
    await until(lambda: probes)
    assert raw.getsockopt(sockets.IPPROTO_IP, sockets.IP_TTL) == usual


async def test_a_port_in_use_is_said_in_one_sentence(pair: tuple[UdpSocket, UdpSocket]) -> None:
    with pytest.raises(ListenError, match="already uses UDP port"):
        await UdpSocket.bind(LOCAL, pair[0].port)
    with pytest.raises(ListenError, match="does not have the address"):
        await UdpSocket.bind("192.0.2.1")
    with pytest.raises(ListenError):
        await UdpSocket.bind(LOCAL, 1 << 20)


async def test_what_cannot_be_sent_is_dropped(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, other = pair
    one.send(bytes(70_000), at(other))
    assert one.dropped == 1
    await other.close()
    other.send(b"x", at(one))
    other.send_burst(Burst(b"x", 1, at(one), False))


async def test_ids_are_random_and_unique(pair: tuple[UdpSocket, UdpSocket]) -> None:
    numbers = iter([0, 5, 5, 6])
    socket = await UdpSocket.bind(
        LOCAL, random=lambda count: next(numbers).to_bytes(count, "little")
    )
    assert [socket.stream().id, socket.stream().id] == [5, 6]
    assert len(socket.table) == 2
    with pytest.raises(ValueError, match="taken"):
        socket.stream(5)
    socket.table.abort_all()
    await until(lambda: len(socket.table) == 0)
    await socket.close()


# -- with and without the kernel's help ---------------------------------------------------------


def plain(datagrams: Datagrams) -> None:
    """As on a system that has no rows of datagrams."""
    datagrams.sends_rows = False
    if datagrams.takes_rows:
        datagrams.socket.setsockopt(17, 104, 0)
        datagrams.takes_rows = False


def only_sends(datagrams: Datagrams) -> None:
    if datagrams.takes_rows:
        datagrams.socket.setsockopt(17, 104, 0)
        datagrams.takes_rows = False


@pytest.mark.parametrize("spoil", [plain, only_sends])
async def test_streams_work_without_the_kernels_help(spoil: Callable[[Datagrams], None]) -> None:
    data = os.urandom(4 * MIB)
    async with two_ends() as ends:
        for each in ends.sockets:
            spoil(each._datagrams)
        _near, far = ends.collect()
        ends.a.write(data)
        ends.a.write_eof()
        assert await far.got(len(data)) == data
        await far.ended


async def test_rows_that_a_device_refuses_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __init__(self, real: sockets.socket) -> None:
            self._real = real

        def sendmsg(self, *arguments: object) -> int:
            raise OSError(errno.EIO, "no checksums in hardware")

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    data = os.urandom(MIB)
    async with two_ends() as ends:
        _near, far = ends.collect()
        datagrams = ends.sockets[0]._datagrams
        real, had = datagrams.socket, datagrams.sends_rows
        datagrams.socket = Refusing(real)  # type: ignore[assignment]
        ends.a.write(data)
        assert await far.got(len(data)) == data
        assert not datagrams.sends_rows or not had
        datagrams.socket = real


async def test_a_full_socket_is_waited_for() -> None:
    """What the kernel does not take leaves later, in order; streams send nothing meanwhile."""

    class Full:
        def __init__(self, real: sockets.socket) -> None:
            self._real, self.refusals = real, 0

        def _maybe(self) -> None:
            self.refusals += 1
            if self.refusals % 3:
                raise BlockingIOError

        def sendmsg(self, *arguments: object) -> int:
            self._maybe()
            return self._real.sendmsg(*arguments)  # type: ignore[arg-type]

        def sendto(self, *arguments: object) -> int:
            self._maybe()
            return self._real.sendto(*arguments)  # type: ignore[call-overload, no-any-return]

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    data = os.urandom(2 * MIB)
    async with two_ends() as ends:
        _near, far = ends.collect()
        socket = ends.sockets[0]
        real = socket._datagrams.socket
        full = Full(real)
        socket._datagrams.socket = full  # type: ignore[assignment]
        ends.a.write(data)
        assert await far.got(len(data)) == data
        assert full.refusals > 10
        await until(lambda: not socket.blocked)
        socket._datagrams.socket = real


async def test_two_streams_of_one_pair_of_sockets_do_not_mix() -> None:
    blocks = [os.urandom(2 * MIB) for _ in range(2)]
    async with two_ends() as ends:
        _near, far = ends.collect()
        one, other = ends.sockets
        second, mirror = one.stream(), other.stream()
        protocol = Collector()
        second.set_protocol(Collector())
        mirror.set_protocol(protocol)
        second.connect(one, mirror.id, at(other))
        mirror.connect(other, second.id, at(one))
        ends.a.write(blocks[0])
        second.write(blocks[1])
        assert await far.got(len(blocks[0])) == blocks[0]
        assert await protocol.got(len(blocks[1])) == blocks[1]


async def test_a_row_of_other_datagrams_is_taken_apart(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, other = pair
    got: list[bytes] = []
    other.on_datagram = lambda data, addr: got.append(data)
    datagrams = [bytes([n]) * 30 for n in range(10)] + [b"shorter"]
    one.send_burst(Burst(b"".join(datagrams), 30, at(other), False))
    await until(lambda: len(got) == len(datagrams))
    assert got == datagrams


async def test_packets_that_may_be_split(pair: tuple[UdpSocket, UdpSocket]) -> None:
    one, other = pair
    got: list[bytes] = []
    other.on_datagram = lambda data, addr: got.append(data)
    one.send_burst(Burst(bytes(3000), 1500, at(other), True))
    await until(lambda: len(got) == 2)


async def test_ipv6() -> None:
    try:
        one, other = await UdpSocket.bind("::1"), await UdpSocket.bind("::1")
    except ListenError:
        pytest.skip("no IPv6 here")
    a, b = one.stream(), other.stream()
    near, far = Collector(), Collector()
    a.set_protocol(near)
    b.set_protocol(far)
    a.connect(one, b.id, ("::1", other.port))
    b.connect(other, a.id, ("::1", one.port))
    data = os.urandom(200_000)
    a.write(data)
    assert await far.got(len(data)) == data
    assert a.stats.mtu == 1500
    one.send(b"\0", ("::1", other.port), ttl=5)
    await one.close()
    await other.close()
