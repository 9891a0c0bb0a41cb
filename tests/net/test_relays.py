"""Leaning on relays: kept, found again, left; finding and dialling through them."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.crypto import key_pair
from holdfast.errors import HandshakeError, PeerUnreachable, UnavailableError
from holdfast.net.relay.client import RelayClient
from holdfast.net.relay.relays import MAX_CLIENTS
from holdfast.net.relay.wire import ASK_PEER, ASK_RELAYS, ASK_TOPIC, Place
from holdfast.net.swarm.candidate import RELAY as RELAY_RUNG
from holdfast.net.swarm.candidate import Candidate
from tests.net.loopback import listening, until
from tests.net.relaying import ALICE, BOB, CAROL, RELAY, Relay, leaning, linked, relaying

TOPIC = b"t" * 32


async def test_a_relay_that_comes_back_finds_everything_as_it_was() -> None:
    async with relaying() as relay:
        port = relay.tcp.addresses[0].port
        async with leaning(ALICE, relay.address) as alice, leaning(BOB, relay.address) as bob:
            alice.finder.announce(TOPIC)
            found: asyncio.Queue[Candidate] = asyncio.Queue()
            stop = bob.finder.lookup(TOPIC, found.put_nowait)
            assert await asyncio.wait_for(found.get(), 10) == Candidate(
                ALICE.public_key, rung=RELAY_RUNG
            )
            connection = await bob.connect(ALICE)
            await relay.close()
            await asyncio.wait_for(connection.wait_closed(), 10)
            assert isinstance(connection.reason, UnavailableError)
            await until(lambda: not alice.relays.holding and not bob.relays.holding)
            with pytest.raises(PeerUnreachable):
                await bob.connect(ALICE, timeout=1)
            again = Relay()
            await again.listen(port)
            while not found.empty():
                found.get_nowait()
            assert (await asyncio.wait_for(found.get(), 20)).public_key == ALICE.public_key
            assert (await bob.connect(ALICE)).opened
            stop()
            await until(lambda: len(again.server.topics.announced) == 1)
            alice.finder.unannounce(TOPIC)
            await until(lambda: not again.server.topics)
            await again.close()


async def test_seekers_are_told_of_who_comes_later_and_of_all_when_they_ask_again() -> None:
    async with relaying() as relay, leaning(BOB, relay.address) as bob:
        first: list[bytes] = []
        second: list[bytes] = []
        stop = bob.finder.lookup(TOPIC, lambda candidate: first.append(candidate.public_key))
        async with leaning(ALICE, relay.address) as alice:
            alice.finder.announce(TOPIC)
            await until(lambda: ALICE.public_key in first)
            stop_second = bob.finder.lookup(TOPIC, lambda it: second.append(it.public_key))
            await until(lambda: ALICE.public_key in second)
            stop()
            stop()
            stop_second()
            count = len(first), len(second)
            alice.finder.unannounce(TOPIC)
            alice.finder.announce(TOPIC)
            await until(lambda: relay.server.topics.announced)
            assert (len(first), len(second)) == count
            assert BOB.public_key not in first, "who only looks is told to nobody"


async def test_something_else_than_a_relay_says_so() -> None:
    async with listening(RELAY) as (listener, _), leaning(ALICE) as alice:
        client = alice.relays.add(str(listener.addresses[0]))
        with pytest.raises(UnavailableError, match="does not relay"):
            await client.first_try()
        with pytest.raises(UnavailableError, match="does not relay"):
            client.open(BOB.public_key)
        with pytest.raises(UnavailableError):
            await client.find(ASK_PEER, BOB.public_key)
        with pytest.raises(UnavailableError):
            await client.wait_connected(0.05)


async def test_somebody_else_at_a_relays_address_is_not_leant_on() -> None:
    async with relaying() as relay, leaning(ALICE) as alice:
        place = Place(CAROL.public_key, (relay.address,))
        with pytest.raises(HandshakeError):
            await alice.relays.reach(place)
        assert alice.relays.clients == []


async def test_a_relay_used_for_one_peer_only_is_left_with_it() -> None:
    async with (
        relaying() as own,
        relaying(CAROL) as other,
        leaning(ALICE, own.address) as alice,
        leaning(BOB, other.address) as bob,
    ):
        place = other.server.place

        class Directory:
            async def find(self, kind: int, key: bytes) -> list[Place]:
                dead = Place(key_pair().public_key, ("127.0.0.1:1",))
                return [dead, place] if key == BOB.public_key else []

        alice.relays._directory = Directory()
        near = await alice.connect(BOB)
        far = await bob.arrivals.next()
        assert near.opened and len(alice.relays.clients) == 2
        with pytest.raises(UnavailableError):
            await alice.connect(CAROL)
        assert len(alice.relays.clients) == 2
        far.close()
        await until(lambda: len(alice.relays.clients) == 1)
        await until(lambda: ALICE.public_key not in other.server.guests)
        assert ALICE.public_key in own.server.guests


async def test_the_admission_of_both_ends_is_asked() -> None:
    def refuse(connection: object) -> None:
        raise PeerUnreachable("Not today.")

    async with (
        relaying() as relay,
        leaning(ALICE, relay.address) as alice,
        leaning(BOB, relay.address, admit=refuse) as bob,
    ):
        with pytest.raises(HandshakeError, match="closed the connection"):
            await alice.connect(BOB)
        with pytest.raises(PeerUnreachable, match="Not today"):
            await alice.connect(BOB, admit=refuse)
        assert bob.arrivals.queue.empty()
        await until(lambda: not relay.server.pairs)


async def test_a_dial_that_is_given_up_leaves_nothing_behind() -> None:
    """A peer that takes streams and says nothing."""
    async with relaying() as relay, linked(relay, BOB), leaning(ALICE, relay.address) as alice:
        with pytest.raises(PeerUnreachable, match="in time"):
            await alice.connect(BOB, timeout=0.1)
        await until(lambda: not relay.server.pairs)
        assert not alice.relays.clients[0].streams


async def test_relays_answer_what_they_know_and_nothing_without_a_directory() -> None:
    async with relaying() as relay, leaning(ALICE, relay.address), leaning(BOB, relay.url) as bob:
        (client,) = bob.relays.clients
        assert await client.find(ASK_PEER, ALICE.public_key) == [relay.server.place]
        assert await client.find(ASK_PEER, CAROL.public_key) == []
        assert await client.find(ASK_TOPIC, TOPIC) == []
        assert await bob.relays.find(ASK_RELAYS, bytes(32)) == []
        assert client.place == Place(RELAY.public_key, (relay.url,))


async def test_not_more_relays_than_one_can_watch() -> None:
    async with leaning(ALICE) as alice:
        for port in range(1, MAX_CLIENTS + 1):
            alice.relays.add(f"127.0.0.1:{port}")
        assert isinstance(alice.relays.add("127.0.0.1:1"), RelayClient), "the one there is"
        with pytest.raises(UnavailableError, match="Too many"):
            alice.relays.add("127.0.0.1:60000")


async def test_one_relay_under_two_names_is_one() -> None:
    async with relaying() as relay, leaning(ALICE, relay.address) as alice:
        again = await alice.relays.reach(Place(RELAY.public_key, (relay.url,)))
        assert [again] == alice.relays.clients
