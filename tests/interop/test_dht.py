"""The DHT beside JavaScript: networks of their nodes, of ours, and of both; either side asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from holdfast.crypto import KeyPair, blake2b, key_pair
from holdfast.net.dht.node import DhtNode
from tests.interop.peer import HERE, JsPeer
from tests.interop.sizes import size

SCRIPT = HERE / "js" / "dht.js"
HOST = "127.0.0.1"
NODES = size(8, 30)
"""Nodes in a network; from 21 on not all of them are asked."""

SEED = bytes(range(32))
OWNER = key_pair(SEED)
TOPIC = blake2b(b"a topic")
RELAYS = [("10.0.0.1", 4000), ("10.0.0.2", 4001)]


class JsNode:
    """A user's view of a JavaScript node."""

    def __init__(self, peer: JsPeer, opened: dict[str, Any]) -> None:
        self._peer = peer
        self.number = opened["node"]
        self.port: int = opened["port"]
        self.opened = opened

    async def call(self, command: str, **arguments: Any) -> Any:
        return await self._peer.call(command, node=self.number, **arguments)

    async def announce(self, topic: bytes, owner: KeyPair, relays: list[tuple[str, int]]) -> int:
        seed, text = owner.seed.hex(), topic.hex()
        return int(await self.call("announce", topic=text, seed=seed, relays=relays))

    async def unannounce(self, topic: bytes, owner: KeyPair) -> None:
        await self.call("unannounce", topic=topic.hex(), seed=owner.seed.hex())

    async def lookup(self, topic: bytes) -> set[tuple[bytes, tuple[tuple[str, int], ...]]]:
        said = await self.call("lookup", topic=topic.hex())
        return {_peer(peer) for node in said for peer in node["peers"]}

    async def find_peer(self, key: bytes) -> set[tuple[bytes, tuple[tuple[str, int], ...]]]:
        return {_peer(node["peer"]) for node in await self.call("findPeer", key=key.hex())}

    async def immutable_put(self, value: bytes) -> bytes:
        return bytes.fromhex(await self.call("immutablePut", value=value.hex()))

    async def immutable_get(self, target: bytes) -> bytes | None:
        found = await self.call("immutableGet", target=target.hex())
        return bytes.fromhex(found) if found else None

    async def mutable_put(self, owner: KeyPair, value: bytes, seq: int) -> None:
        await self.call("mutablePut", seed=owner.seed.hex(), value=value.hex(), seq=seq)

    async def mutable_get(self, key: bytes) -> tuple[int, bytes] | None:
        found = await self.call("mutableGet", key=key.hex())
        return (found["seq"], bytes.fromhex(found["value"])) if found else None


def _peer(said: dict[str, Any]) -> tuple[bytes, tuple[tuple[str, int], ...]]:
    return bytes.fromhex(said["key"]), tuple((host, port) for host, port in said["relays"])


class PyNode:
    """The same view of ours."""

    def __init__(self, node: DhtNode) -> None:
        self.node = node
        self.port = node.port

    async def announce(self, topic: bytes, owner: KeyPair, relays: list[tuple[str, int]]) -> int:
        return len(await self.node.announce(topic, owner, relays))

    async def unannounce(self, topic: bytes, owner: KeyPair) -> None:
        await self.node.unannounce(topic, owner)

    async def lookup(self, topic: bytes) -> set[tuple[bytes, tuple[tuple[str, int], ...]]]:
        return {tuple(peer) async for found in self.node.lookup(topic) for peer in found.peers}

    async def find_peer(self, key: bytes) -> set[tuple[bytes, tuple[tuple[str, int], ...]]]:
        return {tuple(found.peers[0]) async for found in self.node.find_peer(key)}

    async def immutable_put(self, value: bytes) -> bytes:
        return await self.node.immutable_put(value)

    async def immutable_get(self, target: bytes) -> bytes | None:
        return await self.node.immutable_get(target)

    async def mutable_put(self, owner: KeyPair, value: bytes, seq: int) -> None:
        await self.node.mutable_put(owner, value, seq)

    async def mutable_get(self, key: bytes) -> tuple[int, bytes] | None:
        found = await self.node.mutable_get(key)
        return (found.seq, found.value) if found else None


AnyNode = JsNode | PyNode


class Network:
    """Nodes that stay, of either kind, and users of them."""

    def __init__(self, js: JsPeer, stack: AsyncExitStack) -> None:
        self.js = js
        self.nodes: list[AnyNode] = []
        self._stack = stack

    @property
    def bootstrap(self) -> list[tuple[str, int]]:
        return [(HOST, self.nodes[0].port)]

    async def grow(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.nodes.append(await self.add(kind, stays=True))

    async def add(self, kind: str, *, stays: bool) -> AnyNode:
        if kind == "py":
            node = await DhtNode.open(
                host=HOST,
                bootstrap=self.bootstrap if self.nodes else (),
                ephemeral=False if stays else None,
            )
            self._stack.push_async_callback(node.close)
            assert await node.bootstrapped(), node.status
            return PyNode(node)
        if not self.nodes:
            return JsNode(self.js, await self.js.call("first"))
        bootstrap = [f"{host}:{port}" for host, port in self.bootstrap]
        return JsNode(self.js, await self.js.call("open", bootstrap=bootstrap, stays=stays))


KINDS = {
    "js": ["js"] * NODES,
    "py": ["py"] * NODES,
    "mixed, ours first": ["py", "js"] * (NODES // 2),
    "mixed, theirs first": ["js", "py"] * (NODES // 2),
}
PAIRS = [("py", "js"), ("js", "py"), ("py", "py")]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def js(stack: AsyncExitStack, tmp_path: Path) -> JsPeer:
    peer = await JsPeer.start(tmp_path, SCRIPT)
    stack.push_async_callback(peer.stop)
    return peer


@pytest.fixture(params=list(KINDS))
async def network(request: pytest.FixtureRequest, js: JsPeer, stack: AsyncExitStack) -> Network:
    network = Network(js, stack)
    await network.grow(KINDS[request.param])
    return network


Users = Callable[[str, str], Awaitable[tuple[AnyNode, AnyNode]]]


@pytest.fixture(params=PAIRS, ids="-".join)
async def users(request: pytest.FixtureRequest, network: Network) -> tuple[AnyNode, AnyNode]:
    """Two nodes that come and go: one that tells, one that asks."""
    teller, asker = request.param
    return await network.add(teller, stays=False), await network.add(asker, stays=False)


async def test_records_of_one_are_found_by_the_other(users: tuple[AnyNode, AnyNode]) -> None:
    teller, asker = users
    stored_at = await teller.announce(TOPIC, OWNER, RELAYS)
    assert stored_at >= min(NODES - 1, 20)
    assert await asker.lookup(TOPIC) == {(OWNER.public_key, tuple(RELAYS))}

    await teller.announce(blake2b(OWNER.public_key), OWNER, RELAYS)
    assert await asker.find_peer(OWNER.public_key) == {(OWNER.public_key, tuple(RELAYS))}

    value = b"v" * 1000
    target = await teller.immutable_put(value)
    assert await asker.immutable_get(target) == value
    assert await asker.immutable_get(blake2b(b"nobody has it")) is None

    await teller.mutable_put(OWNER, b"first", 1)
    assert await asker.mutable_get(OWNER.public_key) == (1, b"first")
    await asker.mutable_put(OWNER, b"second", 2)
    assert await teller.mutable_get(OWNER.public_key) == (2, b"second")

    await teller.unannounce(TOPIC, OWNER)
    assert await asker.lookup(TOPIC) == set()


async def test_every_node_that_stays_has_an_id_that_the_others_believe(network: Network) -> None:
    """Only then is it asked to store: all of them are among the nearest in a small network."""
    asker = await network.add("py", stays=False)
    assert isinstance(asker, PyNode)
    walk = asker.node.query(TOPIC, 3)
    await walk.finished()
    near = {reply.from_addr[1] for reply in walk.closest}
    everybody = {node.port for node in network.nodes}
    assert len(near) == min(20, len(everybody))
    assert near <= everybody


async def test_javascript_finds_its_firewall_open_with_our_nodes_alone(
    js: JsPeer, stack: AsyncExitStack
) -> None:
    """It has our nodes write to its other socket, and believes what they see."""
    network = Network(js, stack)
    await network.grow(["py"] * 6)
    node = await network.add("js", stays=False)
    assert isinstance(node, JsNode)
    settled = await node.call("settle")
    assert settled["remote"] == {"host": HOST, "port": node.port}
    assert not settled["firewalled"]
    assert not settled["ephemeral"]


async def test_ours_finds_its_firewall_open_with_javascript_nodes_alone(
    js: JsPeer, stack: AsyncExitStack
) -> None:
    network = Network(js, stack)
    await network.grow(["js"] * 6)
    node = await network.add("py", stays=False)
    assert isinstance(node, PyNode)
    assert node.node.remote_address() == (HOST, node.port)
    assert not node.node.firewalled


async def test_pings_with_and_without_delay(js: JsPeer, stack: AsyncExitStack) -> None:
    network = Network(js, stack)
    await network.grow(["py", "js"])
    ours, theirs = network.nodes
    assert isinstance(ours, PyNode) and isinstance(theirs, JsNode)
    assert await theirs.call("ping", port=ours.port) < 1000
    assert await theirs.call("delayedPing", port=ours.port, delay=50) >= 45
    assert (await ours.node.ping((HOST, theirs.port))).from_addr == (HOST, theirs.port)


async def test_many_at_once(network: Network) -> None:
    """Both sides ask at the same time, and every answer is the right one."""
    ours = [await network.add("py", stays=False) for _ in range(2)]
    theirs = [await network.add("js", stays=False) for _ in range(2)]
    owners = [key_pair(bytes([n]) * 32) for n in range(16)]
    users = [*ours, *theirs]
    await asyncio.gather(
        *(users[n % 4].announce(TOPIC, owner, []) for n, owner in enumerate(owners))
    )
    expected = {(owner.public_key, ()) for owner in owners}
    assert await asyncio.gather(*(user.lookup(TOPIC) for user in users)) == [expected] * 4
