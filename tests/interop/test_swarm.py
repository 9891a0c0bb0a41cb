"""Topics beside JavaScript hyperswarm: either side announces, whoever carries the words."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from holdfast.crypto import KeyPair, discovery_key, key_pair
from holdfast.hyperdrive import Drive
from holdfast.net import Peers
from holdfast.net.dht.node import DhtNode
from holdfast.net.swarm.swarm import Swarm
from holdfast.store import Store
from tests.interop.content import file_chunks
from tests.interop.peer import HERE, JsPeer
from tests.interop.sizes import size

SCRIPT = HERE / "js" / "swarm.js"
HOST = "127.0.0.1"
TOPIC = b"t" * 32
LOW, HIGH = sorted(
    (bytes([number]) * 32 for number in (1, 2)), key=lambda seed: key_pair(seed).public_key
)
"""Seeds of key pairs of which the first has the lesser public key: the rule for duplicates."""
NODES = 3
FILES, FILE = size(6, 60), size(200_000, 2_000_000)


class Ours:
    """A swarm of ours with a store that it replicates to everybody."""

    def __init__(self, store: Store, keys: KeyPair, dht: DhtNode) -> None:
        self.store, self.dht = store, dht
        self.peers = Peers(keys, lambda connection: store.attach(connection))
        self.swarm = Swarm(self.peers, dht=dht)

    @property
    def remotes(self) -> list[str]:
        return [connection.remote_public_key.hex() for connection in self.peers]

    async def join(self, *topics: bytes, announce: bool, lookup: bool) -> None:
        joined = [self.swarm.join(each, announce=announce, lookup=lookup) for each in topics]
        assert all(await asyncio.gather(*(each.flushed() for each in joined)))

    async def drive(self, name: str) -> tuple[Drive, bytes]:
        """A public drive, and its topic."""
        drive = Drive(self.store, name=name)
        await drive.ready()
        return drive, discovery_key(drive.key)


class World:
    """A DHT of whoever's nodes, and users of it."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.ports: list[int] = []

    async def grow(self, kinds: str, js: JsPeer) -> None:
        for index in range(NODES):
            kind = kinds if kinds != "mixed" else ("py", "js")[index % 2]
            if kind == "js":
                self.ports.append((await js.call("node", bootstrap=self.js_bootstrap))["port"])
            else:
                self.ports.append((await self.node(ephemeral=False)).port)

    @property
    def js_bootstrap(self) -> list[str] | None:
        return [f"{HOST}:{port}" for port in self.ports[:1]] or None

    async def node(self, **options: Any) -> DhtNode:
        bootstrap = [(HOST, port) for port in self.ports[:1]]
        node = await DhtNode.open(host=HOST, bootstrap=bootstrap, **options)
        self.stack.push_async_callback(node.close)
        return node

    async def ours(self, seed: bytes) -> Ours:
        store = await Store.open(self.folder / seed.hex()[:4])
        self.stack.push_async_callback(store.close)
        ours = Ours(store, key_pair(seed), await self.node())
        self.stack.push_async_callback(ours.peers.close)
        self.stack.push_async_callback(ours.swarm.close)
        return ours

    async def theirs(self, name: str) -> JsPeer:
        peer = await JsPeer.start(self.folder / name, SCRIPT)
        self.stack.push_async_callback(peer.stop)
        return peer

    async def their_swarm(self, js: JsPeer, seed: bytes, **options: Any) -> dict[str, Any]:
        return dict(await js.call("swarm", bootstrap=self.js_bootstrap, seed=seed.hex(), **options))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(params=["js", "py", "mixed"])
async def world(request: pytest.FixtureRequest, stack: AsyncExitStack, tmp_path: Path) -> World:
    world = World(stack, tmp_path)
    await world.grow(request.param, await world.theirs("nodes"))
    return world


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - the other process has no event for us
            await asyncio.sleep(0.02)


async def settled(ours: Ours, js: JsPeer, theirs: dict[str, Any]) -> dict[str, Any]:
    """Both have exactly one connection, with each other; returns the other side's view."""
    state: dict[str, Any] = {}

    async def look() -> bool:
        nonlocal state
        state = await js.call("state", swarm=theirs["swarm"])
        own = ours.peers.key_pair.public_key.hex()
        return state["remotes"] == [own] and ours.remotes == [theirs["key"]]

    await until(look)
    return state


@pytest.mark.parametrize("greater", ["ours", "theirs"])
async def test_they_find_what_we_announce(world: World, greater: str) -> None:
    ours = await world.ours(HIGH if greater == "ours" else LOW)
    js = await world.theirs("js")
    theirs = await world.their_swarm(js, LOW if greater == "ours" else HIGH)
    await ours.join(TOPIC, announce=True, lookup=False)
    await js.call("join", swarm=theirs["swarm"], topics=[TOPIC.hex()], server=False, client=True)
    await settled(ours, js, theirs)


@pytest.mark.parametrize("greater", ["ours", "theirs"])
async def test_we_find_what_they_announce(world: World, greater: str) -> None:
    ours = await world.ours(HIGH if greater == "ours" else LOW)
    js = await world.theirs("js")
    theirs = await world.their_swarm(js, LOW if greater == "ours" else HIGH)
    await js.call("join", swarm=theirs["swarm"], topics=[TOPIC.hex()], server=True, client=False)
    await ours.join(TOPIC, announce=False, lookup=True)
    await settled(ours, js, theirs)
    # What they take back is found no more.
    await js.call("leave", swarm=theirs["swarm"], topics=[TOPIC.hex()])
    other = await world.ours(b"o" * 32)
    await other.join(TOPIC, announce=False, lookup=True)
    assert "Nobody was found" in other.swarm.explain(TOPIC)


@pytest.mark.parametrize("greater", ["ours", "theirs"])
async def test_both_at_once_on_many_topics_end_with_one_connection(
    world: World, greater: str
) -> None:
    topics = [bytes([number]) * 32 for number in range(20)]
    ours = await world.ours(HIGH if greater == "ours" else LOW)
    js = await world.theirs("js")
    theirs = await world.their_swarm(js, LOW if greater == "ours" else HIGH)
    await asyncio.gather(
        ours.join(*topics, announce=True, lookup=True),
        js.call(
            "join",
            swarm=theirs["swarm"],
            topics=[topic.hex() for topic in topics],
            server=True,
            client=True,
        ),
    )
    await settled(ours, js, theirs)
    # It stays that one: nobody dials again.
    await js.call("flush", swarm=theirs["swarm"])
    opened = (await settled(ours, js, theirs))["opened"]
    ours.swarm.join(TOPIC, announce=True, lookup=True)
    assert (await settled(ours, js, theirs))["opened"] == opened <= 2


async def test_a_peer_is_joined_by_its_key(world: World) -> None:
    ours, js = await world.ours(LOW), await world.theirs("js")
    theirs = await world.their_swarm(js, HIGH)
    await ours.join(TOPIC, announce=True, lookup=False)
    await js.call("joinPeer", swarm=theirs["swarm"], key=ours.peers.key_pair.public_key.hex())
    await settled(ours, js, theirs)


async def test_a_lost_connection_is_made_again(world: World) -> None:
    ours, js = await world.ours(LOW), await world.theirs("js")
    theirs = await world.their_swarm(js, HIGH)
    await js.call("join", swarm=theirs["swarm"], topics=[TOPIC.hex()], server=True, client=False)
    await ours.join(TOPIC, announce=False, lookup=True)
    before = (await settled(ours, js, theirs))["opened"]
    (connection,) = ours.peers
    await js.call("hangUp", swarm=theirs["swarm"])
    await connection.wait_closed()
    assert (await settled(ours, js, theirs))["opened"] == before + 1


async def test_they_download_our_drive_and_hear_of_its_growth(world: World) -> None:
    ours, js = await world.ours(LOW), await world.theirs("js")
    theirs = await world.their_swarm(js, HIGH)
    drive, topic = await ours.drive("films")
    for number in range(FILES):
        await drive.put(f"/films/{number}", b"".join(file_chunks(f"f{number}", FILE)))
    await ours.join(topic, announce=True, lookup=False)
    opened = await js.call("drive.open", key=drive.key.hex())
    await js.call("join", swarm=theirs["swarm"], topics=[topic.hex()], server=False, client=True)
    await js.call("drive.reachVersion", drive=opened["drive"], version=drive.version)
    for number in range(FILES):
        read = await js.call("drive.read", drive=opened["drive"], path=f"/films/{number}")
        expected = b"".join(file_chunks(f"f{number}", FILE))
        assert read["sha256"] == hashlib.sha256(expected).hexdigest()
    await drive.put("/new.txt", b"hot off the press")
    await js.call("drive.reachVersion", drive=opened["drive"], version=drive.version)
    got = await js.call("drive.get", drive=opened["drive"], path="/new.txt")
    assert base64.b64decode(got) == b"hot off the press"


async def test_we_download_their_drive_and_hear_of_its_growth(world: World) -> None:
    ours, js = await world.ours(LOW), await world.theirs("js")
    theirs = await world.their_swarm(js, HIGH)
    made = await js.call("drive.open", name="films")
    for number in range(FILES):
        path = f"/films/{number}"
        await js.call(
            "drive.putPattern", drive=made["drive"], path=path, seed=f"f{number}", size=FILE
        )
    key = bytes.fromhex(made["key"])
    topic = discovery_key(key)
    await js.call("join", swarm=theirs["swarm"], topics=[topic.hex()], server=True, client=False)
    drive = Drive(ours.store, key)
    await ours.join(topic, announce=False, lookup=True)
    await drive.update(wait=True)
    for number in range(FILES):
        content = await drive.get(f"/films/{number}")
        assert content == b"".join(file_chunks(f"f{number}", FILE))
    version = drive.version
    await js.call(
        "drive.put",
        drive=made["drive"],
        path="/new.txt",
        data=base64.b64encode(b"hot off the press").decode(),
    )
    while drive.version == version:
        await drive.update(wait=True)
    assert await drive.get("/new.txt") == b"hot off the press"


@pytest.mark.parametrize("world", ["py"], indirect=True)
async def test_two_of_theirs_meet_over_our_nodes_only(world: World) -> None:
    writer, reader = await world.theirs("writer"), await world.theirs("reader")
    sharing = await world.their_swarm(writer, LOW)
    getting = await world.their_swarm(reader, HIGH)
    made = await writer.call("drive.open", name="films")
    await writer.call("drive.putPattern", drive=made["drive"], path="/a", seed="a", size=FILE)
    topic = discovery_key(bytes.fromhex(made["key"])).hex()
    await writer.call("join", swarm=sharing["swarm"], topics=[topic], server=True, client=False)
    opened = await reader.call("drive.open", key=made["key"])
    await reader.call("join", swarm=getting["swarm"], topics=[topic], server=False, client=True)
    await reader.call("drive.reachVersion", drive=opened["drive"], version=2)
    read = await reader.call("drive.read", drive=opened["drive"], path="/a")
    assert read["sha256"] == hashlib.sha256(b"".join(file_chunks("a", FILE))).hexdigest()
