"""Dialling a key through the DHT: every way there, and every reason why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from holdfast.crypto import key_pair
from holdfast.dht.commands import PEER_HANDSHAKE
from holdfast.dht.handshake_messages import Handshake, Mode
from holdfast.dht.noise_payload import NoisePayload
from holdfast.dht.request import Request
from holdfast.errors import HandshakeError, ListenError, NotAllowedError, PeerUnreachable
from holdfast.net.connection import Connection
from holdfast.net.dht.connect import _Dial, dht_connect
from holdfast.net.dht.server import DhtServer
from holdfast.net.dht.socket_pool import pool_of
from tests.net.dht_world import CLIENT, HOST, SERVER, DhtWorld, descriptors, dht_world, exchange

HERE, THERE = "127.0.0.2", "127.0.0.3"
"""Two addresses, so that nobody takes the two for neighbours."""


@pytest.fixture
async def world() -> AsyncIterator[DhtWorld]:
    async with asyncio.timeout(60), dht_world() as world:
        yield world


async def test_an_open_server_is_reached_directly(world: DhtWorld) -> None:
    server = await world.listen(await world.node())
    assert len(server.announcer.relays) == 3
    ours = await world.connect(await world.node())
    theirs = await world.served.get()
    assert (ours.route, theirs.route) == ("direct", "direct")
    assert ours.remote_public_key == SERVER.public_key
    assert theirs.remote_public_key == CLIENT.public_key
    assert list(ours.relay_addresses) == server.relay_addresses
    await exchange(ours, theirs, 300_000)


async def test_without_any_relay_the_server_itself_is_asked(world: DhtWorld) -> None:
    node = world.nodes[0]
    await world.listen(node, announce=False)
    ours = await world.connect(await world.node())
    await exchange(ours, await world.served.get(), 1000)


async def test_through_two_nats(world: DhtWorld) -> None:
    server = await world.node(THERE, firewalled=True)
    client = await world.node(HERE, firewalled=True)
    await world.listen(server)
    before = descriptors()
    ours = await world.connect(client)
    theirs = await world.served.get()
    assert (ours.route, theirs.route) == ("punched", "punched")
    await exchange(ours, theirs, 300_000)
    assert len(pool_of(client)) == 1, "the socket that the stream uses"
    assert len(pool_of(server)) == 0, "the server punches with the socket it has"
    assert descriptors() == before + 1
    ours.close()
    await ours.wait_closed()
    await pool_of(client).close()
    assert descriptors() == before


async def test_an_open_client_waits_for_the_server(world: DhtWorld) -> None:
    await world.listen(await world.node(THERE, firewalled=True))
    ours = await world.connect(await world.node(HERE))
    assert ours.route == "direct"
    await exchange(ours, await world.served.get(), 1000)


async def test_in_one_network_no_hole_is_punched(world: DhtWorld) -> None:
    await world.listen(await world.node(firewalled=True))
    ours = await world.connect(await world.node(firewalled=True))
    assert ours.route == "lan"
    await exchange(ours, await world.served.get(), 1000)


async def test_neighbours_who_cannot_hear_each_other_punch(world: DhtWorld) -> None:
    """Guests of one network are often kept apart."""
    server = await world.node(firewalled=True)
    await world.listen(server)
    server.server_socket.on_datagram = None
    ours = await world.connect(await world.node(firewalled=True))
    assert ours.route == "punched"
    await exchange(ours, await world.served.get(), 1000)


async def test_known_relays_need_no_search(
    world: DhtWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await world.listen(await world.node())
    client = await world.node()
    monkeypatch.setattr(client, "query", None)
    ours = await world.connect(client, relay_addresses=server.relay_addresses[1:])
    await exchange(ours, await world.served.get(), 1000)


async def test_known_relays_that_have_forgotten_cost_little(world: DhtWorld) -> None:
    await world.listen(await world.node())
    stale = [(HOST, 9), (HOST, world.nodes[0].port)]
    async with asyncio.timeout(3):
        ours = await world.connect(await world.node(), relay_addresses=stale)
    await exchange(ours, await world.served.get(), 1000)


async def test_relays_that_lie_cost_little(world: DhtWorld) -> None:
    """Those found first answer nonsense; a second search finds the honest ones behind them."""
    server = await world.listen(await world.node())
    liars = {relay.relay_address for relay in server.announcer.relays}
    record = server.announcer.record
    for node in world.nodes:
        if (HOST, node.port) in liars:
            node.handle(PEER_HANDSHAKE, _lie)
        else:
            address = HOST, server.dht.port
            node.relaying.router.set(server.target, address, record, node.machine.now)
    async with asyncio.timeout(3):
        ours = await world.connect(await world.node())
    await exchange(ours, await world.served.get(), 1000)


def _lie(request: Request) -> None:
    noise = Handshake(Mode.REPLY, b"x" * 100, (HOST, 9)).encode()
    request.reply(noise, token=False, closer_nodes=False)


async def test_a_client_without_a_stream_is_refused(
    world: DhtWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await world.listen(await world.node())
    monkeypatch.setattr(_Dial, "_hello", lambda dial: NoisePayload())
    with pytest.raises(HandshakeError, match="refused"):
        await world.connect(await world.node())
    assert len(server.handshakes) == 0


async def test_two_dials_at_once_are_two_connections(world: DhtWorld) -> None:
    await world.listen(await world.node())
    client = await world.node()
    keys = [key_pair() for _ in range(10)]
    made = await asyncio.gather(*(world.connect(client, client=each) for each in keys))
    assert [each.public_key for each in made] == [each.public_key for each in keys]
    served = [await world.served.get() for _ in keys]
    assert {each.remote_public_key for each in served} == {each.public_key for each in keys}


async def test_nobody_knows_the_key(world: DhtWorld) -> None:
    with pytest.raises(PeerUnreachable, match="Nobody in the DHT knows this peer"):
        await world.connect(await world.node(), key_pair())


async def test_a_server_that_has_gone_is_forgotten(world: DhtWorld) -> None:
    server = await world.listen(await world.node())
    await server.close()
    with pytest.raises(PeerUnreachable, match="Nobody in the DHT knows this peer"):
        await world.connect(await world.node())


async def test_who_is_refused_gets_no_answer(world: DhtWorld) -> None:
    asked: list[bytes] = []

    def refuse(key: bytes) -> None:
        asked.append(key)
        raise NotAllowedError("Not today.")

    server = await world.listen(await world.node(), admit=refuse)
    with pytest.raises(PeerUnreachable, match="in time"):
        await world.connect(await world.node(), timeout=0.5)
    assert set(asked) == {CLIENT.public_key}
    assert len(server.handshakes) == 0
    assert len(server.dht.server_socket.table) == 0


async def test_a_dialler_can_think_better_of_it(world: DhtWorld) -> None:
    await world.listen(await world.node())
    node = await world.node()

    def refuse(connection: Connection) -> None:
        assert connection.remote_public_key == SERVER.public_key
        raise NotAllowedError("There is one already.")

    with pytest.raises(NotAllowedError):
        await dht_connect(node, SERVER.public_key, CLIENT, admit=refuse)
    assert len(node.server_socket.table) == 0


async def test_one_key_is_served_once(world: DhtWorld) -> None:
    node = await world.node()
    await world.listen(node)
    with pytest.raises(ListenError):
        await DhtServer.listen(node, SERVER, world.accept)
    await world.listen(node, key_pair())


async def test_a_dial_that_is_given_up_leaves_nothing(world: DhtWorld) -> None:
    client = await world.node(HERE, firewalled=True)
    await world.listen(await world.node(THERE, firewalled=True))
    before = descriptors()
    for steps in range(0, 60, 3):
        dial = asyncio.ensure_future(dht_connect(client, SERVER.public_key, CLIENT))
        for _ in range(steps):
            await asyncio.sleep(0)
        dial.cancel()
        await asyncio.gather(dial, return_exceptions=True)
    await pool_of(client).close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert descriptors() == before
    assert len(client.server_socket.table) == 0
