"""Dialling through the DHT beside JavaScript: either side waits, any nodes carry the words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from holdfast.crypto import KeyPair, key_pair
from holdfast.errors import NotAllowedError, PeerUnreachable
from holdfast.net.connection import Connection
from holdfast.net.dht.connect import dht_connect
from holdfast.net.dht.node import DhtNode
from holdfast.net.dht.server import DhtServer
from holdfast.store import Store
from holdfast.wire import Channel
from tests.interop.content import pattern
from tests.interop.peer import HERE, JsPeer, PeerError
from tests.interop.sizes import size

SCRIPT = HERE / "js" / "dht_connect.js"
HOST = "127.0.0.1"
PROTOCOL = "holdfast/test-echo"
SERVER, CLIENT = key_pair(b"s" * 32), key_pair(b"c" * 32)
NODES = 6
BLOCKS, BLOCK = size(40, 400), 65536


class Echo:
    """A connection that answers what is said to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._answers: list[asyncio.Future[bytes]] = []
        self._channel: Channel = connection.mux.channel(
            PROTOCOL, handlers=[self._asked, self._answered]
        )
        self._channel.open()

    def _asked(self, body: memoryview) -> None:
        self._channel.send(1, bytes(body))

    def _answered(self, body: memoryview) -> None:
        self._answers.pop(0).set_result(bytes(body))

    async def echo(self, data: bytes) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._channel.send(0, data)
        return await answer


class World:
    """A network of nodes that stay, and what is needed to add users to it."""

    def __init__(self, js: JsPeer, store: Store, stack: AsyncExitStack) -> None:
        self.js, self.store, self.stack = js, store, stack
        self.ports: list[int] = []
        self.echoes: asyncio.Queue[Echo] = asyncio.Queue()

    async def grow(self, kinds: list[str]) -> None:
        for kind in kinds:
            if kind == "py":
                self.ports.append((await self.py_node(ephemeral=False)).port)
            elif self.ports:
                opened = await self.js.call("open", bootstrap=self.js_bootstrap, stays=True)
                self.ports.append(opened["port"])
            else:
                self.ports.append((await self.js.call("first"))["port"])

    @property
    def js_bootstrap(self) -> list[str]:
        return [f"{HOST}:{port}" for port in self.ports[:1]]

    async def py_node(self, **options: Any) -> DhtNode:
        bootstrap = [(HOST, port) for port in self.ports[:1]]
        node = await DhtNode.open(host=HOST, bootstrap=bootstrap, **options)
        self.stack.push_async_callback(node.close)
        assert await node.bootstrapped(), node.status
        return node

    async def js_node(self, **options: Any) -> int:
        opened = await self.js.call("open", bootstrap=self.js_bootstrap, **options)
        return int(opened["node"])

    def opened(self, connection: Connection) -> None:
        """What either side of ours does with a connection."""
        self.stack.push_async_callback(connection.wait_closed)
        self.stack.callback(connection.close)
        self.store.attach(connection)
        self.echoes.put_nowait(Echo(connection))

    async def py_server(self, node: DhtNode, **options: Any) -> DhtServer:
        server = await DhtServer.listen(node, SERVER, self.opened, **options)
        self.stack.push_async_callback(server.close)
        return server

    async def py_connect(self, node: DhtNode, key: KeyPair = SERVER, **options: Any) -> Echo:
        await dht_connect(node, key.public_key, CLIENT, on_open=self.opened, **options)
        return await self.echoes.get()


NETWORKS = {"js": ["js"] * NODES, "py": ["py"] * NODES, "mixed": ["js", "py"] * (NODES // 2)}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def js(stack: AsyncExitStack, tmp_path: Path) -> JsPeer:
    peer = await JsPeer.start(tmp_path / "js", SCRIPT)
    stack.push_async_callback(peer.stop)
    return peer


@pytest.fixture(params=list(NETWORKS))
async def world(
    request: pytest.FixtureRequest, js: JsPeer, stack: AsyncExitStack, tmp_path: Path
) -> World:
    store = await stack.enter_async_context(await Store.open(tmp_path / "store"))
    world = World(js, store, stack)
    await world.grow(NETWORKS[request.param])
    return world


async def check_replication(world: World) -> None:
    """A log of theirs arrives here, and one of ours there."""
    key = await world.js.call("write", count=BLOCKS, size=BLOCK)
    theirs = world.store.core(key=bytes.fromhex(key))
    for index in range(BLOCKS):
        assert await theirs.get(index) == pattern("dht", index, BLOCK)
    ours = world.store.core(name="over the dht")
    await ours.append([pattern("dht", index, BLOCK) for index in range(BLOCKS)])
    assert await world.js.call("read", key=ours.key.hex(), count=BLOCKS, size=BLOCK)


async def test_javascript_dials_us(world: World) -> None:
    server = await world.py_server(await world.py_node())
    assert len(server.relay_addresses) == 3
    client = await world.js_node()
    dialled = await world.js.call(
        "connect", node=client, key=SERVER.public_key.hex(), seed=CLIENT.seed.hex()
    )
    ours = await world.echoes.get()
    assert ours.connection.remote_public_key == CLIENT.public_key
    assert not ours.connection.is_initiator
    for length in (0, 1, 1000, 3_000_000):
        assert await world.js.call("echo", connection=dialled["connection"], size=length)
        assert await ours.echo(bytes(length)) == bytes(length)
    await check_replication(world)
    await world.js.call("hangUp", connection=dialled["connection"])
    await ours.connection.wait_closed()


async def test_we_dial_javascript(world: World) -> None:
    listening = await world.js.call("listen", node=await world.js_node(), seed=SERVER.seed.hex())
    node = await world.py_node()
    ours = await world.py_connect(node)
    assert ours.connection.remote_public_key == SERVER.public_key
    assert ours.connection.is_initiator
    assert [list(each) for each in ours.connection.relay_addresses] == listening["relays"]
    for length in (0, 1, 1000, 3_000_000):
        assert await ours.echo(bytes(length)) == bytes(length)
    (there,) = await world.js.call("connections")
    assert there["remote"] == CLIENT.public_key.hex()
    await check_replication(world)
    ours.connection.close()
    await ours.connection.wait_closed()


async def firewalled(world: World) -> DhtNode:
    """A node that believes to be behind a firewall, whatever others say."""
    bootstrap = [(HOST, port) for port in world.ports[:1]]
    node = await DhtNode.open(host=HOST, bootstrap=bootstrap, firewalled=True)
    world.stack.push_async_callback(node.close)
    judge = node.machine.reach._judge
    node.machine.reach._judge = lambda seen, only, done: judge(None, only, done)
    assert await node.bootstrapped(), node.status
    assert node.firewalled
    return node


async def test_behind_firewalls_on_one_machine(world: World) -> None:
    """Both are seen under one address: the way within their own network is taken."""
    key = SERVER.public_key.hex()
    await world.py_server(await firewalled(world))
    client = await world.js_node(firewalled=True)
    dialled = await world.js.call("connect", node=client, key=key)
    assert await world.js.call("echo", connection=dialled["connection"], size=100_000)
    await world.echoes.get()

    other = await world.js_node(firewalled=True)
    another = key_pair()
    await world.js.call("listen", node=other, seed=another.seed.hex())
    ours = await world.py_connect(await firewalled(world), another)
    assert ours.connection.route == "lan"
    assert await ours.echo(bytes(100_000)) == bytes(100_000)


async def test_known_relays_need_no_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await world.py_server(await world.py_node())
    relays = [list(each) for each in server.relay_addresses[1:]]
    key = SERVER.public_key.hex()
    dialled = await world.js.call("connect", node=await world.js_node(), key=key, relays=relays)
    assert await world.js.call("echo", connection=dialled["connection"], size=1)

    other = key_pair()
    listening = await world.js.call("listen", node=await world.js_node(), seed=other.seed.hex())
    node = await world.py_node()
    monkeypatch.setattr(node, "query", None)
    known = [(host, port) for host, port in listening["relays"]]
    ours = await world.py_connect(node, other, relay_addresses=known)
    assert await ours.echo(b"x") == b"x"


@pytest.mark.parametrize("world", ["mixed"], indirect=True)
async def test_nobody_is_let_in_who_is_refused(world: World) -> None:
    refused: list[bytes] = []

    def refuse(key: bytes) -> None:
        refused.append(key)
        raise NotAllowedError("Not today.")

    await world.py_server(await world.py_node(), admit=refuse)
    with pytest.raises(PeerError):
        await world.js.call(
            "connect",
            node=await world.js_node(),
            key=SERVER.public_key.hex(),
            seed=CLIENT.seed.hex(),
        )
    assert set(refused) == {CLIENT.public_key}
    other = key_pair()
    await world.js.call("listen", node=await world.js_node(), seed=other.seed.hex(), refuse=True)
    with pytest.raises(PeerUnreachable):
        await world.py_connect(await world.py_node(), other)
    assert world.echoes.empty()


@pytest.mark.parametrize("world", ["mixed"], indirect=True)
async def test_a_key_that_nobody_has(world: World) -> None:
    with pytest.raises(PeerUnreachable, match="Nobody in the DHT knows"):
        await world.py_connect(await world.py_node(), key_pair())


@pytest.mark.parametrize("world", ["mixed"], indirect=True)
async def test_a_stream_without_keep_alive_is_not_cut(world: World) -> None:
    """Such a peer says nothing for as long as it has nothing to say."""
    await world.py_server(await world.py_node())
    client = await world.js_node(keepAlive=False)
    await world.js.call("connect", node=client, key=SERVER.public_key.hex())
    ours = await world.echoes.get()
    stream = ours.connection._stream
    deadline = stream.deadline()
    assert deadline is not None
    stream.on_deadline(deadline + 3600)  # an empty message of ours is all that is due
    assert not ours.connection.closed
    assert await ours.echo(b"still there") == b"still there"
