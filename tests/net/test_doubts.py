"""Connections that have gone quiet are dialled anew, and the new one counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.crypto import KeyPair
from holdfast.net import Connection, Peers, ping, serve_ping
from holdfast.net.peers import SUSPECT
from holdfast.net.swarm.doubts import Doubts
from tests.net.loopback import ALICE, BOB, closed, until


@asynccontextmanager
async def side(keys: KeyPair) -> AsyncIterator[tuple[Peers, str]]:
    peers = Peers(keys, serve_ping)
    listener = await peers.listen("127.0.0.1:0")
    try:
        yield peers, str(listener.addresses[0])
    finally:
        await peers.close()


def silence(connection: Connection, seconds: float = SUSPECT + 1) -> None:
    """As if nothing had been heard for so long."""
    connection.heard_at -= seconds


async def test_who_dialled_dials_again_ever_more_rarely() -> None:
    async with side(ALICE) as (alice, _), side(BOB) as (bob, address):
        connection = await alice.connect(address)
        await until(lambda: len(bob) == 1)
        asked: list[bytes] = []
        ours, theirs = Doubts(alice, asked.append), Doubts(bob, asked.append)
        ours._look()
        assert not asked
        silence(connection)
        for incoming in bob:
            silence(incoming)
        ours._look()
        ours._look()
        theirs._look()
        assert asked == [BOB.public_key], "once for now, and by the one who dialled"
        ours.close()
        theirs.close()


async def test_the_new_connection_takes_the_place_of_the_quiet_one() -> None:
    async with side(ALICE) as (alice, _), side(BOB) as (bob, address):
        old = await alice.connect(address)
        assert await alice.connect(address) is old
        silence(old)
        new = await alice.connect(address)
        assert new is not old
        await closed(old)
        await until(lambda: len(bob) == 1)
        await ping(new)
        assert alice.get(BOB.public_key) is new


async def test_who_does_not_listen_has_no_doubts() -> None:
    async with side(ALICE) as (alice, _), side(BOB) as (_, address):
        connection = await alice.connect(address)
        connection.pause_reading()
        silence(connection)
        assert not alice.doubts(connection)
        connection.resume_reading()
        assert not alice.doubts(connection), "it has had no time to be heard yet"


async def test_somebody_heard_again_is_doubted_no_more() -> None:
    async with side(ALICE) as (alice, _), side(BOB) as (_, address):
        connection = await alice.connect(address)
        silence(connection)
        assert alice.doubts(connection)
        await ping(connection)
        assert not alice.doubts(connection)
