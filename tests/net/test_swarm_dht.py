from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.crypto import key_pair
from holdfast.net import Address
from holdfast.net.swarm.address_book import AddressBook
from holdfast.net.swarm.candidate import BOOK, DHT
from holdfast.net.swarm.trace import FAILED, OPENED
from tests.net.dht_community import HOST, community
from tests.net.swarm_sides import TOPIC, Board, Side, side, until


def both(left: Side, right: Side) -> bool:
    return left.connected(right) and right.connected(left)


async def test_two_who_know_only_a_bootstrap_node_find_each_other() -> None:
    async with community() as dht:
        alice, bob = await dht.side(1), await dht.side(2)
        assert await alice.swarm.join(TOPIC, announce=True, lookup=False).flushed()
        assert await bob.swarm.join(TOPIC, announce=False, lookup=True).flushed()
        await until(lambda: both(alice, bob))
        await until(lambda: any(step.outcome == OPENED for step in bob.swarm.trace))
        (opened,) = [step for step in bob.swarm.trace.of(alice.key) if step.outcome == OPENED]
        assert opened.rung == DHT and opened.seconds > 0


async def test_a_bootstrap_node_that_is_not_there_is_named_and_used_once_it_comes() -> None:
    async with community(1) as dht:
        (first,) = dht.nodes
        port = first.port
        await first.close()
        alice = await dht.side(1, dht=await dht.node(bootstrap=[(HOST, port)]))
        joined = alice.swarm.join(TOPIC, announce=True, lookup=True)
        assert not await joined.flushed()
        said = alice.swarm.explain(TOPIC)
        assert "Nobody was found" in said and f"127.0.0.1:{port}" in said
        node = await dht.node(bootstrap=[], port=port, ephemeral=False)
        await until(lambda: node.port == port and alice.swarm.topics and joined.error is None, 60)
        bob = await dht.side(2, dht=await dht.node(bootstrap=[(HOST, port)]))
        bob.swarm.join(TOPIC, announce=False, lookup=True)
        await until(lambda: both(alice, bob))


async def test_who_looks_only_announces_nothing() -> None:
    async with community() as dht:
        alice, bob = await dht.side(1), await dht.side(2)
        await bob.swarm.join(TOPIC, announce=False, lookup=True).flushed()
        await alice.swarm.join(TOPIC, announce=False, lookup=True).flushed()
        await bob.swarm.reach(alice.key, timeout=5)
        for each in (alice, bob):
            assert each.swarm.dht is not None
            assert each.swarm.dht.node.counters.announces == 0
            assert not len(each.peers)


async def test_what_is_left_is_taken_back() -> None:
    async with community() as dht:
        alice, bob = await dht.side(1), await dht.side(2)
        joined = alice.swarm.join(TOPIC, announce=True, lookup=False)
        assert await joined.flushed()
        joined.leave()
        await alice.swarm.close()
        found = bob.swarm.join(TOPIC, announce=False, lookup=True)
        assert await found.flushed()
        assert "Nobody was found" in bob.swarm.explain(TOPIC)


async def test_twenty_topics_over_the_dht_are_one_connection() -> None:
    async with community() as dht:
        alice, bob = await dht.side(1), await dht.side(2)
        topics = [bytes([each]) * 32 for each in range(20)]
        joined = [alice.swarm.join(each, announce=True, lookup=True) for each in topics]
        joined += [bob.swarm.join(each, announce=True, lookup=True) for each in topics]
        assert all(await asyncio.gather(*(each.flushed() for each in joined)))
        await until(lambda: both(alice, bob))
        await until(lambda: len({c.handshake_hash for c in [*alice.peers, *bob.peers]}) == 1)
        assert len(alice.peers) == len(bob.peers) == 1


async def test_an_absent_peer_is_a_quiet_no_of_the_dht() -> None:
    async with community() as dht:
        alice = await dht.side(1)
        absent = key_pair(b"x" * 32).public_key
        async with asyncio.timeout(15):
            assert await alice.swarm.reach(absent, timeout=10) is None
        (*_, last) = alice.swarm.trace.of(absent)
        assert (last.rung, last.outcome) == (DHT, FAILED) and "knows this peer" in last.reason


async def test_a_peer_is_reached_by_its_key_alone() -> None:
    async with community() as dht:
        alice, bob = await dht.side(1), await dht.side(2)
        assert await alice.swarm.join(TOPIC, announce=True, lookup=False).flushed()
        assert await bob.swarm.reach(alice.key, timeout=10) is not None


@pytest.mark.parametrize("seeds", [(1, 2), (2, 1)])
@pytest.mark.parametrize("turns", range(4))
async def test_dials_at_once_over_any_mix_of_transports_end_as_one(
    seeds: tuple[int, int], turns: int
) -> None:
    board = Board()
    async with community() as dht:
        alice = await dht.side(seeds[0], board, listen=True)
        bob = await dht.side(seeds[1], board, listen=True)
        for each in (alice, bob):
            other = bytes([turns]) * 32
            assert await each.swarm.join(other, announce=True, lookup=False).flushed()
        assert alice.swarm.dht is not None and bob.swarm.dht is not None
        dials = [
            alice.peers.connect(bob.addresses()[0]),
            bob.swarm.dht.connect(alice.key, (), timeout=10),
            bob.peers.connect(alice.addresses()[0]),
            alice.swarm.dht.connect(bob.key, (), timeout=10),
        ]
        tasks = []
        for dial in dials[turns:] + dials[:turns]:
            tasks.append(asyncio.ensure_future(dial))
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: both(alice, bob))
        await until(
            lambda: (
                not (alice.peers._spare or bob.peers._spare)
                and len({c.handshake_hash for c in [*alice.peers, *bob.peers]}) == 1
            )
        )
        assert len(alice.peers) == len(bob.peers) == 1


async def test_with_every_bootstrap_node_gone_a_known_peer_is_dialled_all_the_same(
    tmp_path: Path,
) -> None:
    async with community(2) as dht:
        alice = await dht.side(1)
        assert await alice.swarm.join(TOPIC, announce=True, lookup=False).flushed()
        first = await dht.side(2, book=AddressBook(tmp_path / "peers"))
        first.swarm.join(TOPIC, announce=False, lookup=True)
        await until(lambda: first.connected(alice))
        await until(lambda: (tmp_path / "peers").exists())
        await first.close()
        for node in dht.nodes:
            await node.close()
        again = await dht.side(3, book=AddressBook(tmp_path / "peers"))
        again.swarm.join(TOPIC, announce=False, lookup=True)
        await until(lambda: again.connected(alice))
        steps = again.swarm.trace.of(alice.key)
        assert steps[0].rung == BOOK and steps[0].outcome == "found"
        assert (
            Address(HOST, alice.swarm.dht.node.port)
            in again.swarm.book.known(TOPIC)[  # type: ignore[union-attr]
                0
            ].relay_addresses
        )


async def worker(book: Path, ports: list[int]) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    """A swarm in a process of its own, and what it reached."""
    command = [sys.executable, "-m", "tests.net.swarm_worker", str(book), *map(str, ports)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return process, json.loads(await process.stdout.readline())


async def test_a_killed_node_comes_back_to_its_peer_without_any_bootstrap_node(
    tmp_path: Path,
) -> None:
    async with community(2) as dht:
        alice = await dht.side(1)
        assert await alice.swarm.join(TOPIC, announce=True, lookup=False).flushed()
        ports = [node.port for node in dht.nodes]
        cold, said = await worker(tmp_path / "peers", ports)
        assert said["key"] == alice.key.hex() and said["rungs"][0] == DHT
        cold.kill()
        await cold.wait()
        for node in dht.nodes:
            await node.close()
        warm, said = await worker(tmp_path / "peers", ports)
        assert said["key"] == alice.key.hex() and said["rungs"][0] == BOOK
        warm.kill()
        await warm.wait()


async def test_known_peers_are_dialled_over_tcp_before_any_lookup(tmp_path: Path) -> None:
    board = Board()
    async with side(1, board) as alice:
        alice.swarm.join(TOPIC, announce=True, lookup=False)
        async with side(2, board, book=AddressBook(tmp_path / "peers", key=b"k" * 32)) as bob:
            bob.swarm.join(TOPIC, announce=False, lookup=True)
            await until(lambda: bob.connected(alice))
            await until(lambda: (tmp_path / "peers").exists())
        async with side(2, None, book=AddressBook(tmp_path / "peers", key=b"k" * 32)) as bob:
            bob.swarm.join(TOPIC, announce=False, lookup=True)
            await until(lambda: any(step.outcome == OPENED for step in bob.swarm.trace))
            assert [step.rung for step in bob.swarm.trace.of(alice.key)] == [BOOK] * 3
