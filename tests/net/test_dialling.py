"""While a relay serves, a direct way is tried again, ever more rarely, until there is one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from holdfast.errors import PeerUnreachable
from holdfast.net import Connection, Peers, dial, ping, serve_ping
from holdfast.net.address import Address, parse_address
from holdfast.net.swarm import dialling as module
from holdfast.net.swarm.candidate import DHT
from holdfast.net.swarm.climb import Climb
from holdfast.net.swarm.dialling import Dialling
from holdfast.net.swarm.directory import SwarmDht
from holdfast.net.swarm.known import Known
from holdfast.net.swarm.trace import FAILED, OPENED, Trace
from tests.net.loopback import ALICE, BOB, closed, until


class Holes:
    """Where a DHT would be: fails so many times, then connects over TCP."""

    def __init__(self, peers: Peers, address: str, failures: int) -> None:
        self.peers, self.address, self.failures = peers, parse_address(address), failures

    async def connect(
        self, key: bytes, nodes: tuple[Address, ...], *, beside: Connection | None = None
    ) -> Connection:
        if self.failures:
            self.failures -= 1
            raise PeerUnreachable("This node has as many difficult connections as it may.")
        return await self.peers.connect_by(
            key,
            lambda admit, on_open: dial(
                self.address, ALICE, expected_key=key, admit=None, on_open=on_open
            ),
            beside=beside,
        )


@pytest.mark.parametrize("failures", [0, 3])
async def test_a_direct_way_is_found_after_all(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IMPROVE_AFTER", 0.0)
    alice, bob = Peers(ALICE, serve_ping), Peers(BOB, serve_ping)
    listener = await bob.listen("127.0.0.1:0")
    address = str(listener.addresses[0])
    relayed = await alice.connect(address)
    await until(lambda: len(bob) == 1)
    for each in (relayed, *bob):
        each.route = "relayed"
    over: list[Any] = []
    trace, clock = Trace(), asyncio.get_running_loop().time
    dialling = Dialling(
        alice,
        dht=cast("SwarmDht", Holes(alice, address, failures)),
        relays=None,
        trace=trace,
        clock=clock,
        limit=5.0,
        over=lambda *ended: over.append(ended),
    )

    async def nowhere(way: object) -> Connection:
        raise PeerUnreachable("not dialled here")

    try:
        climb = Climb(BOB.public_key, [], nowhere, trace=trace, clock=clock, limit=5.0)
        dialling._improve(Known(BOB.public_key), climb, relayed)
        await until(lambda: over)
        await closed(relayed)
        direct = alice.get(BOB.public_key)
        assert direct is not None and direct.route == "direct"
        await ping(direct)
        _, way, connection = over[0]
        assert way.rung == DHT and connection is direct
        assert [step.outcome for step in trace] == [FAILED] * failures + [OPENED]
    finally:
        await dialling.close()
        await alice.close()
        await bob.close()


async def test_nothing_is_tried_once_the_relayed_connection_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "IMPROVE_AFTER", 0.0)
    alice = Peers(ALICE, serve_ping)
    trace, clock = Trace(), asyncio.get_running_loop().time
    dht = cast("SwarmDht", Holes(alice, "127.0.0.1:1", 0))
    dialling = Dialling(
        alice, dht=dht, relays=None, trace=trace, clock=clock, limit=5.0, over=lambda *ended: None
    )
    assert await dialling._punch_again(Known(BOB.public_key)) is None
    assert not list(trace)
    await dialling.close()
    await alice.close()
