"""Bad networks in virtual time: whatever happens, all bytes arrive, once and in order."""

from __future__ import annotations

import os
from random import Random

import pytest

from holdfast.udx import Cause, Closed, RemoteChanged
from holdfast.udx.inbox import WINDOW
from tests.udx.simnet import Host, Net, Weather

SEEDS = int(os.environ.get("HOLDFAST_UDX_SEEDS", "500"))
SIZE = 120_000
"""Bytes: about a hundred packets, more than any first window."""


def send(host: Host, data: bytes) -> None:
    """Write everything and end."""
    host.stream.write(data)
    host.stream.end()
    host.net.wake(host)


def transfer(net: Net, a: Host, b: Host, size: int = SIZE, limit: float = 3600.0) -> None:
    """Send both ways at once until both ends are over, and compare."""
    there, back = net.random.randbytes(size), net.random.randbytes(size // 3)
    a.end_when_ended = b.end_when_ended = False
    send(a, there)
    send(b, back)
    net.run(net.closed, limit)
    assert bytes(b.received) == there
    assert bytes(a.received) == back
    assert a.cause is b.cause is Cause.FINISHED


def bounded(host: Host) -> bool:
    """Whether a stream holds no more than its windows allow."""
    inbox, flight = host.stream.inbox, host.stream.sender.flight
    return (
        inbox.waiting <= 2 * WINDOW
        and inbox.kept_bytes <= 2 * WINDOW
        and flight.outstanding <= WINDOW + 2000
    )


def any_weather(random: Random) -> Weather:
    """Everything at once, more or less."""
    start = 1000 + random.random() * 2
    return Weather(
        delay=random.choice([0.0002, 0.01, 0.05, 0.3]),
        jitter=random.choice([0.0, 0.0, 0.005, 0.1]),
        loss=random.choice([0.0, 0.01, 0.05, 0.1, 0.2]),
        duplicates=random.choice([0.0, 0.0, 0.05, 0.3]),
        mtu=random.choice([1500, 1500, 1400, 1200]),
        rate=random.choice([float("inf"), 5e6, 5e5, 1e5]),
        queue=random.choice([0.02, 0.1, 1.0]),
        partitions=random.choice([[], [], [(start, start + random.choice([1, 5, 20, 60]))]]),
    )


@pytest.mark.parametrize("block", range(10))
def test_any_weather(block: int) -> None:
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        random = Random(seed)
        net = Net(seed, any_weather(random), any_weather(random))
        a, b = net.pair()
        try:
            transfer(net, a, b)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        assert bounded(a) and bounded(b), seed


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05, 0.1, 0.2])
def test_loss_costs_about_what_is_lost(loss: float) -> None:
    net = Net(1, Weather(loss=loss))
    a, b = net.pair()
    transfer(net, a, b, 1_000_000, limit=30)
    flight = a.stream.sender.flight
    assert flight.retransmits <= 10 + 1.5 * loss / (1 - loss) * flight.next_seq
    assert flight.spurious <= 5


def test_reordering_and_duplicates() -> None:
    net = Net(2, Weather(delay=0.01, jitter=0.03, duplicates=0.3))
    a, b = net.pair()
    transfer(net, a, b, 500_000, limit=60)


def test_long_delay_fills_the_pipe() -> None:
    """600 ms, 2 MB/s: 1.2 MB have to be on their way."""
    net = Net(3, Weather(delay=0.3, rate=2e6, queue=0.5))
    a, b = net.pair()
    transfer(net, a, b, 8_000_000, limit=12)


def test_long_delay_and_loss() -> None:
    net = Net(4, Weather(delay=0.3, loss=0.1))
    a, b = net.pair()
    transfer(net, a, b, 300_000, limit=60)


def test_a_shallow_queue_is_not_flooded() -> None:
    """A slow line with 50 ms of room: sending too fast shows as loss."""
    net = Net(5, Weather(delay=0.02, rate=1e6, queue=0.05))
    a, b = net.pair()
    transfer(net, a, b, 3_000_000, limit=8)
    assert net.dropped < 0.1 * net.sent


@pytest.mark.parametrize("mtu", [1500, 1460, 1300, 1232, 1200])
def test_packets_grow_to_what_the_path_takes(mtu: int) -> None:
    net = Net(6, Weather(mtu=mtu, rate=1e6))
    a, b = net.pair()
    transfer(net, a, b, 2_000_000)
    assert mtu - 20 < a.stream.sender.mtu.size <= mtu
    assert a.stream.sender.flight.retransmits < 40


def test_a_black_hole_in_mid_transfer() -> None:
    """Packets of the size in use vanish from now on; those on their way cannot be cut."""
    net = Net(7, Weather(rate=2e6))
    a, b = net.pair()

    def shrink() -> None:
        for weather in net.weather.values():
            weather.mtu = 1280

    net.at(net.now + 0.5, shrink)
    transfer(net, a, b, 3_000_000, limit=60)
    assert a.stream.sender.mtu.size <= 1280


@pytest.mark.parametrize("seconds", [3, 20, 60])
def test_a_partition_is_survived(seconds: int) -> None:
    weather = Weather(rate=1e6, partitions=[(1000.2, 1000.2 + seconds)])
    net = Net(8, weather, weather)
    a, b = net.pair()
    transfer(net, a, b, 1_000_000, limit=2 * seconds + 35)


def test_a_partition_that_does_not_end_is_noticed() -> None:
    net = Net(9, Weather(partitions=[(1000.1, 1e9)]))
    a, b = net.pair()
    send(a, bytes(1_000_000))
    net.run(lambda: a.has(Closed), 120)
    assert a.cause is Cause.TIMED_OUT
    assert 90 < net.now - 1000 < 105


@pytest.mark.parametrize("who", [0, 1])
def test_an_address_changes_in_mid_transfer(who: int) -> None:
    """What was on its way is lost with the old address; both sides learn of the new one."""
    net = Net(10, Weather(rate=1e6, loss=0.02))
    a, b = net.pair()

    def move() -> None:
        mover, other = net.hosts[who], net.hosts[1 - who]
        mover.addr = ("10.0.9.9", 999)
        mover.stream.change_remote(other.stream.local_id, other.addr, net.now)
        other.stream.change_remote(mover.stream.local_id, mover.addr, net.now)
        net.wake(mover)
        net.wake(other)

    net.at(net.now + 0.3, move)
    transfer(net, a, b, 2_000_000, limit=60)
    assert a.has(RemoteChanged)


def test_an_address_changes_after_a_silence() -> None:
    """A laptop is closed for 40 s and opened elsewhere: it goes on at once."""
    net = Net(11, Weather(rate=1e6, partitions=[(1000.3, 1040.0)]))
    a, b = net.pair()
    moved: list[float] = []

    def move() -> None:
        moved.append(net.now)
        a.addr = ("10.0.9.9", 999)
        a.stream.change_remote(b.stream.local_id, b.addr, net.now)
        b.stream.change_remote(a.stream.local_id, a.addr, net.now)
        net.wake(a)
        net.wake(b)

    net.at(1041.0, move)
    transfer(net, a, b, 1_000_000, limit=60)
    assert moved and net.now < 1044


def test_a_reader_who_pauses_for_long_loses_nothing() -> None:
    """The window closes; it is asked about; its opening may get lost."""
    net = Net(12, Weather(loss=0.1))
    a, b = net.pair()
    b.reading = False
    data = net.random.randbytes(5_000_000)
    send(a, data)
    net.run(lambda: a.stream.sender.blocked, 120)
    assert b.stream.inbox.window == 0 and bounded(a) and bounded(b)
    net.run(lambda: net.now > 1400, 500)
    assert a.cause is None

    def resume() -> None:
        b.reading = True
        b.flush()

    net.at(net.now, resume)
    net.run(net.closed, 120)
    assert bytes(b.received) == data


def test_a_reader_who_pauses_and_vanishes_is_noticed() -> None:
    net = Net(13, Weather(partitions=[(1010.0, 1e9)]))
    a, b = net.pair()
    b.reading = False
    send(a, bytes(5_000_000))
    net.run(lambda: a.has(Closed), 300)
    assert a.cause is Cause.TIMED_OUT
