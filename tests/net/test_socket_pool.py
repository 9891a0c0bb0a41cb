"""Additional sockets: bounded, given back, and never the node's own."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.dht.puncher import PROBE
from holdfast.errors import ListenError
from holdfast.net.dht import socket_pool as module
from holdfast.net.dht.local_addresses import local_addresses
from holdfast.net.dht.node import DhtNode
from holdfast.net.dht.socket_pool import pool_of
from tests.net.dht_world import HOST, descriptors, dht_world


async def test_sockets_are_counted_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dht_world(1) as world:
        node = world.nodes[0]
        pool = pool_of(node)
        assert pool_of(node) is pool
        before = descriptors()
        monkeypatch.setattr(module, "MAX_SOCKETS", 3)
        sockets = [await pool.open(lambda source: None) for _ in range(3)]
        assert len(pool) == 3
        with pytest.raises(ListenError):
            await pool.open(lambda source: None)
        for socket in sockets:
            pool.release(socket)
            pool.release(socket)
        pool.release(node.server_socket)
        await pool.close()
        assert not node.server_socket.closed
        assert descriptors() == before
    with pytest.raises(ListenError):
        await pool.open(lambda source: None)


async def test_they_speak_for_the_node_and_hear_probes() -> None:
    async with asyncio.timeout(20), dht_world(2) as world:
        node, other = world.nodes
        pool, heard = pool_of(node), asyncio.Queue[tuple[str, int]]()
        socket = await pool.open(heard.put_nowait)
        reply = await node.request((HOST, other.port), 0, internal=True, socket=socket)
        assert reply.seen_as == (HOST, socket.port)
        other.server_socket.send(PROBE, (HOST, socket.port))
        assert await heard.get() == (HOST, other.port)
        await pool.close()


async def test_probes_on_the_nodes_own_sockets() -> None:
    async with asyncio.timeout(20), dht_world(2) as world:
        node, other = world.nodes
        heard: asyncio.Queue[tuple[object, tuple[str, int]]] = asyncio.Queue()
        stop = pool_of(node).hear(lambda socket, source: heard.put_nowait((socket, source)))
        other.server_socket.send(PROBE, (HOST, node.port))
        assert await heard.get() == (node.server_socket, (HOST, other.port))
        stop()
        stop()
        other.server_socket.send(PROBE, (HOST, node.port))
        await other.ping((HOST, node.port))
        assert heard.empty()


async def test_local_addresses() -> None:
    assert local_addresses("127.0.0.5", 9) == [("127.0.0.5", 9)]
    found = local_addresses("0.0.0.0", 9)
    assert found
    assert all(port == 9 for _, port in found)
    assert found == local_addresses("0.0.0.0", 9)


async def test_a_node_takes_its_pool_along() -> None:
    node = await DhtNode.open(host=HOST, ephemeral=False)
    pool = pool_of(node)
    await node.close()
    with pytest.raises(ListenError):
        await pool.open(lambda source: None)
