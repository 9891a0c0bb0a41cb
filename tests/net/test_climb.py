from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from holdfast.errors import PeerUnreachable
from holdfast.net import Address, Connection, dial
from holdfast.net.swarm.candidate import BOOK, DHT, LAN, PUNCHED, RELAY
from holdfast.net.swarm.climb import Climb
from holdfast.net.swarm.ladder import Way
from holdfast.net.swarm.trace import DROPPED, FAILED, OPENED, TRYING, Trace
from tests.net.loopback import ALICE, BOB, listening

GONE = Way(BOOK, (Address("127.0.0.1", 1),))


@asynccontextmanager
async def target() -> AsyncIterator[Way]:
    async with listening(BOB) as (listener, arrivals):
        yield Way(LAN, (listener.addresses[0],))
        while not arrivals.queue.empty():
            (await arrivals.next()).close()


async def by_tcp(way: Way) -> Connection:
    return await dial(way.addresses[0], ALICE, expected_key=BOB.public_key)


def climb(ways: list[Way], trace: Trace, limit: float = 10.0) -> Climb:
    clock = asyncio.get_running_loop().time
    return Climb(BOB.public_key, ways, by_tcp, trace=trace, clock=clock, limit=limit)


def told(trace: Trace) -> list[tuple[str, str]]:
    return [(step.rung, step.outcome) for step in trace]


async def test_each_rung_and_what_came_of_it_is_told() -> None:
    trace = Trace()
    async with target() as near:
        way, connection = await climb([near, GONE], trace).run()
        assert way == near and connection.remote_public_key == BOB.public_key
        connection.close()
        await connection.wait_closed()
    assert told(trace) == [(BOOK, TRYING), (BOOK, FAILED), (LAN, TRYING), (LAN, OPENED)]
    failed = list(trace)[1]
    assert failed.reason == "Nobody listens at 127.0.0.1:1." and failed.where == "127.0.0.1:1"
    assert "Nobody listens" in str(failed) and BOB.public_key.hex()[:8] in str(failed)


async def test_the_slower_ones_are_dropped_when_one_opens() -> None:
    trace = Trace()
    with_silence = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    silent = Way(BOOK, (Address(*with_silence.sockets[0].getsockname()),))
    async with target() as near:
        _, connection = await climb([silent, near], trace).run()
        connection.close()
        await connection.wait_closed()
    with_silence.close()
    assert (LAN, OPENED) in told(trace) and told(trace)[-1] == (BOOK, DROPPED)


async def test_when_nothing_leads_there_the_last_reason_is_given() -> None:
    trace = Trace()
    with pytest.raises(PeerUnreachable, match=r"Nobody listens at 127.0.0.1:1\."):
        await climb([GONE], trace).run()
    with pytest.raises(PeerUnreachable, match="No way to this peer is known"):
        await climb([], trace).run()


async def test_silence_ends_in_time() -> None:
    trace = Trace()
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    silent = Way(BOOK, (Address(*server.sockets[0].getsockname()),))
    async with asyncio.timeout(2):
        with pytest.raises(PeerUnreachable, match="No answer within"):
            await climb([silent], trace, limit=0.05).run()
    server.close()
    assert told(trace) == [(BOOK, TRYING), (BOOK, FAILED)]


async def test_a_hole_punched_through_the_dht_is_its_own_rung() -> None:
    trace = Trace()
    async with target() as near:

        async def punch(way: Way) -> Connection:
            connection = await by_tcp(near)
            connection.route = "punched"
            return connection

        clock = asyncio.get_running_loop().time
        one = Climb(BOB.public_key, [Way(DHT)], punch, trace=trace, clock=clock, limit=5.0)
        _, connection = await one.run()
        connection.close()
        await connection.wait_closed()
    assert told(trace) == [(DHT, TRYING), (PUNCHED, OPENED)]


def test_the_trace_is_bounded_and_tells_watchers() -> None:
    from holdfast.net.swarm.trace import Step

    trace, heard = Trace(kept=3), list[Step]()
    stop = trace.watch(heard.append)
    for number in range(5):
        trace.add(Step(float(number), bytes([number % 2]) * 32, LAN, TRYING))
    stop()
    stop()
    trace.add(Step(5.0, bytes(32), LAN, TRYING))
    assert [step.at for step in trace] == [3.0, 4.0, 5.0] and len(heard) == 5
    assert [step.at for step in trace.of(bytes(32))] == [4.0, 5.0] and len(trace) == 3


async def test_a_relay_serves_while_a_hole_is_still_being_punched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.net.swarm.ladder.HEAD_START", {DHT: 0.01, RELAY: 1.0})
    trace, through = Trace(), asyncio.Event()
    async with target() as near:

        async def either(way: Way) -> Connection:
            if way.rung == DHT:
                await through.wait()
            connection = await by_tcp(near)
            connection.route = "punched" if way.rung == DHT else "relayed"
            return connection

        clock = asyncio.get_running_loop().time
        one = Climb(
            BOB.public_key, [Way(RELAY), Way(DHT)], either, trace=trace, clock=clock, limit=5
        )
        way, relayed = await one.run()
        assert way.rung == RELAY and one.can_improve
        through.set()
        better = await one.improve()
        assert better is not None and better[0].rung == DHT and not one.can_improve
        for connection in (relayed, better[1]):
            connection.close()
            await connection.wait_closed()
    assert told(trace)[-2:] == [(RELAY, OPENED), (PUNCHED, OPENED)]
