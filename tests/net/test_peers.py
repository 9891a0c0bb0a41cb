from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from holdfast.crypto import KeyPair, key_pair
from holdfast.errors import (
    AddressError,
    ClosedError,
    HandshakeError,
    HoldfastError,
    NotAllowedError,
    PeerUnreachable,
)
from holdfast.net import Connection, Peers, Policy, dial, ping, serve_ping
from tests.net.loopback import ALICE, BOB, closed, listening, until


class Side:
    """A node's connections, and everything that was ever handed over."""

    def __init__(self, keys: KeyPair) -> None:
        self.seen: list[Connection] = []
        self.policy, self.keys = Policy(), keys
        self.peers = Peers(keys, self._take, policy=self.policy)
        self.address = ""

    def _take(self, connection: Connection) -> None:
        self.seen.append(connection)
        serve_ping(connection)


@asynccontextmanager
async def side(keys: KeyPair) -> AsyncIterator[Side]:
    made = Side(keys)
    listener = await made.peers.listen("127.0.0.1:0")
    made.address = str(listener.addresses[0])
    try:
        yield made
    finally:
        await made.peers.close()


async def settle(*sides: Side) -> None:
    """Until every side has exactly one open connection and can use it."""
    await until(lambda: all(len(each.peers) == 1 for each in sides))
    for each in sides:
        for connection in each.peers:
            await ping(connection)


async def test_two_links_to_one_peer_share_a_connection() -> None:
    async with side(ALICE) as alice, side(BOB) as bob:
        first, second = await asyncio.gather(
            alice.peers.connect(bob.address), alice.peers.connect(bob.address)
        )
        third = await alice.peers.connect(bob.address, expected_key=BOB.public_key)
        assert first is second is third
        assert alice.peers.get(BOB.public_key) is first
        await settle(alice, bob)
        assert len(alice.seen) == len(bob.seen) == 1


async def test_two_addresses_of_one_peer_end_as_one_connection() -> None:
    async with side(ALICE) as alice, side(BOB) as bob:
        other = str((await bob.peers.listen("127.0.0.1:0")).addresses[0])
        first, second = await asyncio.gather(
            alice.peers.connect(bob.address), alice.peers.connect(other)
        )
        assert first is second
        assert await alice.peers.connect(other) is first
        await settle(alice, bob)
        assert len(bob.seen) == 1


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("turns", range(6))
async def test_simultaneous_dials_end_as_one(swapped: bool, turns: int) -> None:
    keys = (BOB, ALICE) if swapped else (ALICE, BOB)
    async with side(keys[0]) as left, side(keys[1]) as right:
        dial_left = asyncio.ensure_future(left.peers.connect(right.address))
        for _ in range(turns):
            await asyncio.sleep(0)
        dial_right = asyncio.ensure_future(right.peers.connect(left.address))
        results = await asyncio.gather(dial_left, dial_right, return_exceptions=True)
        await settle(left, right)
        (kept_left,), (kept_right,) = left.peers, right.peers
        assert kept_left.handshake_hash == kept_right.handshake_hash
        # A dial that lost answers with the connection that won, or says why it closed.
        for result in results:
            assert isinstance(result, Connection | HandshakeError | ClosedError | PeerUnreachable)


async def test_many_simultaneous_dials_all_end_as_one() -> None:
    for seed in range(20):
        left_keys, right_keys = key_pair(bytes([seed]) * 32), key_pair(bytes([seed + 100]) * 32)
        async with side(left_keys) as left, side(right_keys) as right:
            await asyncio.gather(
                left.peers.connect(right.address),
                right.peers.connect(left.address),
                return_exceptions=True,
            )
            await settle(left, right)


async def test_a_peer_that_lost_its_connection_and_dials_again_is_taken_at_its_word() -> None:
    async with side(ALICE) as alice, side(BOB) as bob:
        old = await bob.peers.connect(alice.address)
        await settle(alice, bob)
        (stale,) = alice.peers
        # Bob forgets the connection without a word, as after a crash; the socket stays.
        bob.peers._open.clear()
        bob.peers._dialled.clear()
        new = await bob.peers.connect(alice.address)
        await settle(alice, bob)
        (kept,) = alice.peers
        assert kept is not stale and kept.handshake_hash == new.handshake_hash
        old.abort(ClosedError("gone"))
        await stale.wait_closed()
        assert list(alice.peers) == [kept]


async def test_who_may_not_connect_does_not() -> None:
    async with side(ALICE) as alice, side(BOB) as bob:
        bob.policy.deny(ALICE.public_key)
        with pytest.raises(HoldfastError):
            await alice.peers.connect(bob.address)
        assert not bob.seen
        bob.policy.undeny(ALICE.public_key)
        alice.policy.only([])
        with pytest.raises(NotAllowedError):
            await alice.peers.connect(bob.address)
        alice.policy.only(None)
        connection = await alice.peers.connect(bob.address)
        alice.policy.deny(BOB.public_key)
        alice.peers.enforce()
        assert connection.closed and len(alice.peers) == 0


async def test_an_address_that_leads_back_is_recognised() -> None:
    async with side(ALICE) as alice:
        with pytest.raises(AddressError, match="back to this node"):
            await alice.peers.connect(alice.address)
        assert len(alice.peers) == 0


async def test_after_close_nothing_is_open_and_nothing_can_be_opened() -> None:
    async with side(ALICE) as alice, side(BOB) as bob:
        connection = await alice.peers.connect(bob.address)
        await alice.peers.close()
        assert connection.closed and len(alice.peers) == 0
        with pytest.raises(ClosedError):
            await alice.peers.connect(bob.address)
        await until(lambda: not len(bob.peers))


# -- two connections, and the other side decides ------------------------------------------------


@asynccontextmanager
async def crossed() -> AsyncIterator[tuple[Side, Connection, Connection]]:
    """A node, a connection from somebody, and a newer one to the same that it dialled itself.

    That somebody has the greater key and keeps no books: it closes what the test says.
    """
    low, high = sorted((ALICE, BOB), key=lambda keys: keys.public_key)
    async with side(low) as near, listening(high) as (listener, arrivals):
        theirs = await dial(near.address, high)
        await until(lambda: len(near.peers) == 1)
        make = dial(listener.addresses[0], low, on_open=near.peers.opened)
        dialled = asyncio.ensure_future(near.peers._kept(make))
        ours = await arrivals.next()
        (first,) = near.peers
        assert await dialled is first  # until the other side has decided, the older one counts
        try:
            yield near, theirs, ours
        finally:
            theirs.close()
            ours.close()
            await theirs.wait_closed()
            await ours.wait_closed()


async def test_if_the_other_side_closes_the_older_the_newer_counts() -> None:
    async with crossed() as (near, theirs, ours):
        serve_ping(ours)
        theirs.close()
        await until(lambda: len(near.seen) == 2)
        (kept,) = near.peers
        assert kept.is_initiator and kept.handshake_hash == ours.handshake_hash
        await ping(kept)


async def test_if_the_other_side_closes_the_newer_the_older_stays() -> None:
    async with crossed() as (near, theirs, ours):
        serve_ping(theirs)
        ours.abort(ClosedError("The other one is kept."))
        await ours.wait_closed()
        (kept,) = near.peers
        assert kept.handshake_hash == theirs.handshake_hash
        await ping(kept)
        assert len(near.seen) == 1


async def test_if_the_other_side_closes_neither_the_older_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.net.peers.AT_ONCE", 0.05)
    async with crossed() as (near, theirs, ours):
        await closed(ours)
        (kept,) = near.peers
        assert kept.handshake_hash == theirs.handshake_hash and not theirs.closed


async def test_what_was_sent_on_the_newer_meanwhile_is_not_lost() -> None:
    async with crossed() as (near, theirs, ours):
        asked = asyncio.ensure_future(ping(ours))
        await asyncio.sleep(0)
        theirs.close()
        await until(lambda: len(near.seen) == 2)
        assert await asked > 0


async def test_a_gate_turns_strangers_away_and_watchers_hear_of_the_others() -> None:
    async with side(ALICE) as alice, side(BOB) as bob:

        def gate(key: bytes) -> None:
            raise NotAllowedError("Full.")

        alice.peers.gate = gate
        with pytest.raises(HoldfastError):
            await bob.peers.connect(alice.address)
        heard: list[Connection] = []
        stop = alice.peers.watch(heard.append)
        connection = await alice.peers.connect(bob.address)  # whom we dial is no stranger
        assert heard == [connection]
        stop()
        stop()


@pytest.mark.parametrize("keys", [(ALICE, BOB), (BOB, ALICE)])
async def test_a_punched_hole_takes_over_from_a_relay(keys: tuple[KeyPair, KeyPair]) -> None:
    async with side(keys[0]) as near, side(keys[1]) as far:
        relayed = await near.peers.connect(far.address)
        relayed.route = "relayed"
        await until(lambda: len(far.peers) == 1)
        (other,) = far.peers
        other.route = "relayed"
        punched = await near.peers._kept(dial(far.address, near.keys, on_open=near.peers.opened))
        await until(lambda: relayed.closed and other.closed)
        (kept,), (there,) = near.peers, far.peers
        assert kept is punched and there.handshake_hash == punched.handshake_hash
        await ping(punched)
