"""A small DHT of our own nodes on this machine, and swarms that know nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from holdfast.net.dht.node import DhtNode
from tests.net.swarm_sides import Board, Side, side

HOST = "127.0.0.1"


class Community:
    """Nodes that stay, and whoever joins through the first of them."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.nodes: list[DhtNode] = []

    @property
    def bootstrap(self) -> list[tuple[str, int]]:
        return [(HOST, node.port) for node in self.nodes[:1]]

    async def grow(self, count: int) -> None:
        for _ in range(count):
            node = await DhtNode.open(host=HOST, bootstrap=self.bootstrap, ephemeral=False)
            self.stack.push_async_callback(node.close)
            assert await node.bootstrapped() or not self.nodes
            self.nodes.append(node)

    async def node(self, **options: Any) -> DhtNode:
        options.setdefault("bootstrap", self.bootstrap)
        node = await DhtNode.open(host=HOST, **options)
        self.stack.push_async_callback(node.close)
        return node

    async def side(self, seed: int, board: Board | None = None, **options: Any) -> Side:
        """A swarm with a DHT node of its own, and no TCP listener."""
        options.setdefault("dht", await self.node())
        options.setdefault("listen", False)
        return await self.stack.enter_async_context(side(seed, board, **options))


@asynccontextmanager
async def community(count: int = 3) -> AsyncIterator[Community]:
    """A DHT of so many nodes."""
    made = Community()
    async with made.stack:
        await made.grow(count)
        yield made
