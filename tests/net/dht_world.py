"""A small DHT on loopback, and users of it at addresses of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from holdfast.crypto import KeyPair, key_pair
from holdfast.net.connection import Connection
from holdfast.net.dht.connect import dht_connect
from holdfast.net.dht.node import DhtNode
from holdfast.net.dht.server import DhtServer

HOST = "127.0.0.1"
SERVER, CLIENT = key_pair(b"s" * 32), key_pair(b"c" * 32)


class DhtWorld:
    """Nodes that stay, and what the test adds."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.nodes: list[DhtNode] = []
        self.served: asyncio.Queue[Connection] = asyncio.Queue()

    async def node(self, host: str = HOST, *, firewalled: bool = False, **options: Any) -> DhtNode:
        """A node; a firewalled one believes to be so, whatever the others say."""
        bootstrap = [(HOST, node.port) for node in self.nodes[:1]]
        node = await DhtNode.open(host=host, bootstrap=bootstrap, **options)
        self.stack.push_async_callback(node.close)
        if firewalled:
            judge = node.machine.reach._judge
            node.machine.reach._judge = lambda seen, only, done: judge(None, only, done)
        assert await node.bootstrapped(), node.status
        assert node.firewalled == firewalled
        return node

    async def listen(self, node: DhtNode, key: KeyPair = SERVER, **options: Any) -> DhtServer:
        """A server whose connections go to `served`."""
        server = await DhtServer.listen(node, key, self.accept, **options)
        self.stack.push_async_callback(server.close)
        return server

    def accept(self, connection: Connection) -> None:
        """Keep a connection until the end of the test."""
        self.keep(connection)
        self.served.put_nowait(connection)

    def keep(self, connection: Connection) -> None:
        """Close a connection at the end of the test."""
        self.stack.push_async_callback(connection.wait_closed)
        self.stack.callback(connection.close)

    async def connect(
        self, node: DhtNode, key: KeyPair = SERVER, client: KeyPair = CLIENT, **options: Any
    ) -> Connection:
        """Dial it."""
        connection = await dht_connect(node, key.public_key, client, **options)
        self.keep(connection)
        return connection


@asynccontextmanager
async def dht_world(nodes: int = 5) -> AsyncIterator[DhtWorld]:
    """So many nodes, and their end."""
    async with AsyncExitStack() as stack:
        world = DhtWorld(stack)
        for number in range(nodes):
            world.nodes.append(await world.node(ephemeral=False))
            assert number or world.nodes[0].port
        yield world


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


async def exchange(one: Connection, two: Connection, size: int) -> None:
    """Bytes both ways over a channel of their own."""
    got: asyncio.Queue[int] = asyncio.Queue()
    channels = [
        each.mux.channel("test/bytes", handlers=[lambda body: got.put_nowait(len(body))])
        for each in (one, two)
    ]
    for channel in channels:
        channel.open()
        channel.send(0, bytes(size))
    assert [await got.get(), await got.get()] == [size, size]
