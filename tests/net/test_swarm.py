from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from holdfast.crypto import key_pair
from holdfast.errors import ClosedError, DecodeError
from holdfast.net import Address, ping, serve_ping
from holdfast.net.swarm.candidate import LAN, LINK, Candidate
from holdfast.net.swarm.known import SwarmLimits
from holdfast.net.swarm.trace import CLOSED, FAILED, FOUND, INCOMING, OPENED, TRYING
from tests.net.swarm_sides import TOPIC, Board, Side, side, until


def topics(count: int) -> list[bytes]:
    return [bytes([number]) * 32 for number in range(count)]


async def test_who_announces_is_found_and_connected() -> None:
    board = Board()
    async with side(1, board) as alice, side(2, board) as bob:
        told = alice.swarm.join(TOPIC, announce=True, lookup=False)
        assert await told.flushed()
        asked = bob.swarm.join(TOPIC, announce=False, lookup=True)
        assert await asked.flushed()
        await until(lambda: bob.connected(alice) and alice.connected(bob))
        await until(lambda: any(step.outcome == OPENED for step in bob.swarm.trace))
        outcomes = [(step.rung, step.outcome) for step in bob.swarm.trace.of(alice.key)]
        assert outcomes == [(LAN, FOUND), (LAN, TRYING), (LAN, OPENED)]
        assert [step.rung for step in alice.swarm.trace.of(bob.key)] == [INCOMING]
        assert "connected" in bob.swarm.explain(TOPIC)


async def test_it_does_not_matter_who_comes_first() -> None:
    board = Board()
    async with side(1, board) as alice, side(2, board) as bob:
        bob.swarm.join(TOPIC, announce=False, lookup=True)
        alice.swarm.join(TOPIC, announce=True, lookup=False)
        await until(lambda: bob.connected(alice))


async def test_a_swarm_that_was_told_nothing_tells_nothing() -> None:
    board = Board()
    async with side(1, board) as alice, side(2, board) as bob:
        alice.swarm.join(TOPIC, announce=False, lookup=True)
        await bob.peers.connect(alice.addresses()[0])
        await until(lambda: alice.connected(bob))
        assert board.announcements == 0 and board.here == {}
        joined = alice.swarm.join(TOPIC, announce=False, lookup=False)
        joined.change(announce=True)
        assert board.announcements == 1 and list(board.here[TOPIC]) == [alice.key]
        joined.leave()
        await until(lambda: board.here[TOPIC] == {})


async def test_twenty_topics_of_two_nodes_are_one_connection() -> None:
    board = Board()
    async with side(1, board) as alice, side(2, board) as bob:
        for one in topics(20):
            alice.swarm.join(one, announce=True, lookup=True)
            bob.swarm.join(one, announce=True, lookup=True)
        ends = [alice.peers, bob.peers]
        await until(lambda: all(len(peers) == 1 for peers in ends))
        await until(lambda: len({c.handshake_hash for peers in ends for c in peers}) == 1)
        (kept,), (there,) = ends
        serve_ping(there)
        await ping(kept)
        sockets = [listener.gate.connections for listener in alice.peers.listeners]
        sockets += [listener.gate.connections for listener in bob.peers.listeners]
        assert sum(sockets) == 1


async def test_joining_and_leaving_is_counted_by_topic() -> None:
    board = Board()
    async with side(1, board) as alice:
        first = alice.swarm.join(TOPIC, announce=True, lookup=False)
        second = alice.swarm.join(TOPIC, announce=True, lookup=True)
        first.leave()
        first.leave()
        assert alice.swarm.topics == [TOPIC] and alice.key in board.here[TOPIC]
        second.leave()
        assert alice.swarm.topics == []
        await until(lambda: board.here[TOPIC] == {} and board.listening[TOPIC] == [])


async def test_an_address_from_a_link_needs_no_finder() -> None:
    async with side(1) as alice, side(2) as bob:
        link = Candidate(alice.key, tuple(alice.addresses()), (), LINK)
        bob.swarm.join(TOPIC, announce=False, lookup=True, candidates=[link])
        await until(lambda: bob.connected(alice))


async def test_who_is_gone_is_dialled_again_when_back() -> None:
    board = Board()
    async with side(2, board) as bob:
        async with side(1, board) as alice:
            alice.swarm.join(TOPIC, announce=True, lookup=False)
            bob.swarm.join(TOPIC, announce=False, lookup=True)
            await until(lambda: bob.connected(alice))
        await until(lambda: not len(bob.peers))
        async with side(1, board) as alice:
            alice.swarm.join(TOPIC, announce=True, lookup=False)
            await until(lambda: bob.connected(alice))
        assert [step.outcome for step in bob.swarm.trace.of(alice.key)].count(CLOSED) >= 1


async def test_an_absent_peer_is_a_quiet_no() -> None:
    async with side(1) as alice:
        absent = key_pair(b"x" * 32).public_key
        assert await alice.swarm.reach(absent, timeout=5) is None
        alice.swarm.join_peer(absent, Candidate(absent, (Address("127.0.0.1", 1),), (), LINK))
        assert await alice.swarm.reach(absent, timeout=5) is None
        (*_, last) = alice.swarm.trace.of(absent)
        assert last.outcome == FAILED and "Nobody listens" in last.reason


async def test_a_silent_peer_is_a_no_within_the_time_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        async with side(1) as alice:
            silent = key_pair(b"x" * 32).public_key
            alice.swarm.join_peer(
                silent, Candidate(silent, (Address("127.0.0.1", port),), (), LINK)
            )
            async with asyncio.timeout(2):
                assert await alice.swarm.reach(silent, timeout=0.05) is None


async def test_a_peer_asked_for_by_key_is_reached() -> None:
    async with side(1) as alice, side(2) as bob:
        known = Candidate(bob.key, tuple(bob.addresses()), (), LINK)
        alice.swarm.join_peer(bob.key, known)
        connection = await alice.swarm.reach(bob.key, timeout=5)
        assert connection is not None and connection.remote_public_key == bob.key
        assert await alice.swarm.reach(bob.key) is connection
        alice.swarm.leave_peer(bob.key)
        assert not connection.closed


async def test_a_banned_peer_stays_away_until_it_is_lifted() -> None:
    board = Board()
    async with side(1, board) as alice, side(2, board) as bob:
        alice.swarm.join(TOPIC, announce=True, lookup=True)
        bob.swarm.join(TOPIC, announce=True, lookup=True)
        await until(lambda: alice.connected(bob) and bob.connected(alice))
        alice.swarm.ban(bob.key)
        await until(lambda: not len(alice.peers) and not len(bob.peers))
        assert await alice.swarm.reach(bob.key, timeout=1) is None
        assert await bob.swarm.reach(alice.key, timeout=1) is None
        alice.swarm.unban(bob.key)
        assert await bob.swarm.reach(alice.key, timeout=5) is not None


async def test_who_breaks_the_protocol_is_banned_for_a_while() -> None:
    board = Board()
    async with side(1, board) as alice, side(2, board) as bob:
        alice.swarm.join(TOPIC, announce=True, lookup=True)
        bob.swarm.join(TOPIC, announce=False, lookup=True)
        await until(lambda: alice.connected(bob) and bob.connected(alice))
        (connection,) = alice.peers
        connection.abort(DecodeError("Nonsense."))
        await until(lambda: not len(bob.peers))
        assert await bob.swarm.reach(alice.key, timeout=1) is None
        assert alice.swarm.crowd.bans.banned(bob.key, asyncio.get_running_loop().time())


async def test_limits_hold_however_many_there_are() -> None:
    board = Board()
    limits = SwarmLimits(max_peers=2, max_connections=2)
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(side(100, board, limits=limits))
        others = [await stack.enter_async_context(side(n, board)) for n in range(1, 6)]
        for each in others:
            each.swarm.join(TOPIC, announce=True, lookup=False)
        hub.swarm.join(TOPIC, announce=True, lookup=True)
        await until(lambda: len(hub.peers) == 2)
        assert await others[-1].swarm.reach(hub.key, timeout=1) is None or len(hub.peers) == 2
        assert len(hub.peers) == 2


async def test_a_mesh_of_fifty_with_five_connections_each_hangs_together() -> None:
    board = Board()
    limits = SwarmLimits(max_peers=5, max_connections=5)
    async with AsyncExitStack() as stack:
        sides = [
            await stack.enter_async_context(side(n, board, limits=limits)) for n in range(1, 51)
        ]
        for each in sides:
            each.swarm.join(TOPIC, announce=True, lookup=True)
        await until(lambda: reached(sides) == len(sides), 30)
        degrees = [len(each.peers) for each in sides]
        assert sum(degrees) / len(degrees) <= 5 and max(degrees) <= 5


def reached(sides: list[Side]) -> int:
    """How many are connected with the first, over others."""
    by_key = {each.key: each for each in sides}
    seen, edge = {sides[0].key}, [sides[0]]
    while edge:
        for connection in edge.pop().peers:
            key = connection.remote_public_key
            if key not in seen:
                seen.add(key)
                edge.append(by_key[key])
    return len(seen)


async def test_nobody_found_is_explained() -> None:
    async with side(1) as alone:
        alone.swarm.join(TOPIC, announce=False, lookup=True)
        assert "no bootstrap node is configured" in alone.swarm.explain(TOPIC)
        gone = Candidate(key_pair(b"x" * 32).public_key, (Address("127.0.0.1", 1),), (), LINK)
        alone.swarm.found(TOPIC, gone)
        await until(lambda: "none was reached" in alone.swarm.explain(TOPIC))


async def test_after_close_nothing_is_told_or_asked() -> None:
    board = Board()
    async with side(1, board) as alice:
        alice.swarm.join(TOPIC, announce=True, lookup=True)
        await alice.swarm.close()
        await alice.swarm.close()
        assert board.here[TOPIC] == {} and board.listening[TOPIC] == []
        with pytest.raises(ClosedError):
            alice.swarm.join(TOPIC, announce=True, lookup=True)
