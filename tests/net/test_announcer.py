"""A server stays known to the nodes nearest to its key, whatever happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from holdfast.crypto import blake2b
from holdfast.net.dht import announcer as module
from holdfast.net.dht.announcer import RELAYS, Announcer
from tests.net.dht_world import SERVER, DhtWorld, dht_world

TARGET = blake2b(SERVER.public_key)


@pytest.fixture
async def world() -> AsyncIterator[DhtWorld]:
    async with asyncio.timeout(60), dht_world(6) as world:
        yield world


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEEP_NAT_OPEN", "KEEP_IN_TOUCH"):
        monkeypatch.setattr(module, name, 0.05)


def holders(world: DhtWorld) -> set[int]:
    """Ports of the nodes that forward to the server."""
    return {
        node.port
        for node in world.nodes
        if node.relaying.router.get(TARGET, node.machine.now) is not None
    }


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_three_nodes_forward_and_are_named(world: DhtWorld) -> None:
    node = await world.node()
    announcer = Announcer(node, SERVER)
    await announcer.start()
    assert len(holders(world)) == RELAYS
    assert {relay.relay_address[1] for relay in announcer.relays} == holders(world)
    assert all(relay.peer_address == ("127.0.0.1", node.port) for relay in announcer.relays)
    assert all(announcer.is_relay(relay.relay_address) for relay in announcer.relays)
    assert announcer.relay_addresses[0] == node.remote_address()
    assert not announcer.is_relay(("127.0.0.1", 1))
    await announcer.close()
    await announcer.close()
    assert holders(world) == set()
    assert announcer.relays == []


async def test_a_relay_that_goes_is_replaced(world: DhtWorld) -> None:
    announcer = Announcer(await world.node(), SERVER)
    await announcer.start()
    gone = announcer.relays[0].relay_address
    (victim,) = [node for node in world.nodes if node.port == gone[1]]
    world.nodes.remove(victim)
    await victim.close()
    await until(lambda: len(holders(world)) == RELAYS and len(announcer.relays) == RELAYS)
    assert gone not in {relay.relay_address for relay in announcer.relays}
    await announcer.close()


async def test_whose_address_changes_announces_again(world: DhtWorld) -> None:
    announcer = Announcer(await world.node(), SERVER)
    await announcer.start()
    for node in world.nodes:
        node.relaying.router.delete(TARGET)
    old = announcer.relays[0]
    announcer.relays[0] = old._replace(peer_address=("127.0.0.9", 9))
    await until(lambda: len(holders(world)) == RELAYS)
    assert old in announcer.relays
    await announcer.close()


async def test_a_refresh_can_be_asked_for(world: DhtWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_IN_TOUCH", 1000.0)
    announcer = Announcer(await world.node(), SERVER)
    await announcer.start()
    for node in world.nodes:
        node.relaying.router.delete(TARGET)
    announcer.refresh()
    await until(lambda: len(holders(world)) == RELAYS)
    await announcer.close()


async def test_alone_it_waits_for_company() -> None:
    async with asyncio.timeout(20), dht_world(1) as world:
        announcer = Announcer(world.nodes[0], SERVER)
        await announcer.start()
        assert announcer.relays == []
        await announcer.close()
