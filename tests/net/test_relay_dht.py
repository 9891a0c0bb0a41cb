"""Relays nobody was told of: found through the DHT, also by those who cannot ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from holdfast.crypto import KeyPair, key_pair
from holdfast.errors import PeerUnreachable
from holdfast.net.dht.node import DhtNode
from holdfast.net.relay.beacon import DhtDirectory, RelayBeacon
from holdfast.net.relay.wire import ASK_PEER, ASK_RELAYS
from holdfast.net.services import ping, serve_ping
from holdfast.net.swarm.candidate import RELAY as RELAY_RUNG
from holdfast.net.swarm.candidate import Candidate
from tests.net.loopback import until
from tests.net.relaying import ALICE, BOB, Relay, eventually, leaning, relaying

TOPIC = b"t" * 32


@asynccontextmanager
async def network(count: int = 3) -> AsyncIterator[list[DhtNode]]:
    """A DHT of our own."""
    nodes = [await DhtNode.open(host="127.0.0.1", ephemeral=False, firewalled=False)]
    try:
        for _ in range(count - 1):
            node = await DhtNode.open(
                host="127.0.0.1",
                ephemeral=False,
                firewalled=False,
                bootstrap=[(nodes[0].host, nodes[0].port)],
            )
            nodes.append(node)
            assert await node.bootstrapped()
        yield nodes
    finally:
        for node in nodes:
            await node.close()


class Beaconed:
    """A relay that is in the DHT."""

    def __init__(self, relay: Relay, directory: DhtDirectory, beacon: RelayBeacon) -> None:
        self.relay, self.directory, self.beacon = relay, directory, beacon


@asynccontextmanager
async def in_dht(node: DhtNode, key: KeyPair) -> AsyncIterator[Beaconed]:
    directory = DhtDirectory(node)
    async with relaying(key, directory=directory) as relay:
        beacon = RelayBeacon(relay.server, directory, key)
        await directory.settled()
        try:
            yield Beaconed(relay, directory, beacon)
        finally:
            beacon.close()
            await directory.close()


async def test_two_meet_through_a_relay_that_neither_was_configured_with() -> None:
    async with network() as nodes, in_dht(nodes[0], key_pair()) as there:
        directories = [DhtDirectory(node) for node in nodes[1:]]
        async with (
            leaning(
                ALICE,
                directory=directories[0],
                publish=lambda record: directories[0].publish(ALICE.public_key, record),
            ) as alice,
            leaning(BOB, directory=directories[1]) as bob,
        ):
            alice.relays.settle(1)
            alice.finder.announce(TOPIC)
            await eventually(lambda: directories[1].find(ASK_PEER, ALICE.public_key))
            # By key: the record of the one says which relay holds it.
            near = await bob.connect(ALICE)
            far = await alice.arrivals.next()
            serve_ping(far)
            assert await ping(near) > 0
            near.close()
            await far.wait_closed()
            assert near.route == "relayed"
            # By topic: the relay announces what is announced at it.
            await there.directory.settled()
            found: asyncio.Queue[Candidate] = asyncio.Queue()
            bob.finder.lookup(TOPIC, found.put_nowait)
            candidate = await asyncio.wait_for(found.get(), 20)
            assert candidate == Candidate(ALICE.public_key, rung=RELAY_RUNG)
        for directory in directories:
            await directory.close()


async def test_two_whose_udp_is_blocked_meet_from_different_relays() -> None:
    """Each can only dial out by TCP, and knows one relay, not the other's."""
    async with (
        network() as nodes,
        in_dht(nodes[0], key_pair()) as one,
        in_dht(nodes[1], key_pair()) as two,
        leaning(ALICE, one.relay.address) as alice,
        leaning(BOB, two.relay.url) as bob,
    ):
        alice.relays.settle(1)
        alice.finder.announce(TOPIC)
        await eventually(lambda: two.directory.find(ASK_PEER, ALICE.public_key))
        await one.directory.settled()
        found: asyncio.Queue[Candidate] = asyncio.Queue()
        bob.finder.lookup(TOPIC, found.put_nowait)
        assert (await asyncio.wait_for(found.get(), 20)).public_key == ALICE.public_key
        near = await bob.connect(ALICE)
        assert near.remote_public_key == ALICE.public_key
        assert {client.public_key for client in bob.relays.clients} == {
            one.relay.key.public_key,
            two.relay.key.public_key,
        }


async def test_relays_name_themselves_only() -> None:
    async with network() as nodes, in_dht(nodes[0], key_pair()) as there:
        directory = DhtDirectory(nodes[1])
        (place,) = await directory.find(ASK_RELAYS, bytes(32))
        assert place == there.relay.server.place
        there.beacon.close()
        await there.directory.settled()
        assert await directory.find(ASK_RELAYS, bytes(32)) == []
        await directory.close()


async def test_nobody_is_sent_to_a_relay_that_was_left_long_ago() -> None:
    now = 1_000_000.0
    async with network() as nodes, in_dht(nodes[0], key_pair()) as there:
        directory = DhtDirectory(nodes[1], clock=lambda: now)
        async with leaning(ALICE, there.relay.address) as alice:
            alice.relays._clock = lambda: now
            there.directory._clock = lambda: now
            alice.relays.settle(1)
            await eventually(lambda: directory.find(ASK_PEER, ALICE.public_key))
        now += 3600
        assert await directory.find(ASK_PEER, ALICE.public_key) == []
        async with leaning(BOB, directory=directory) as bob:
            with pytest.raises(PeerUnreachable, match="No relay is known"):
                await bob.connect(ALICE)
        await directory.close()


async def test_another_relay_takes_the_place_of_one_that_is_gone() -> None:
    async with (
        network() as nodes,
        in_dht(nodes[0], key_pair()) as one,
        in_dht(nodes[1], key_pair()) as two,
    ):
        directory = DhtDirectory(nodes[2])
        async with leaning(ALICE, directory=directory) as alice:
            alice.finder.announce(TOPIC)
            alice.relays.settle(1)
            await until(lambda: alice.relays.holding)
            first, second = (
                (one, two) if ALICE.public_key in one.relay.server.guests else (two, one)
            )
            assert not second.relay.server.guests
            await first.relay.close()
            await until(lambda: second.relay.server.topics.announced)
            await until(lambda: len(alice.relays.clients) == 1)
            assert list(second.relay.server.guests) == [ALICE.public_key]
        await directory.close()
