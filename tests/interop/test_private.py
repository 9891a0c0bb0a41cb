"""A Holdfast node that only fetches gives JavaScript peers nothing, and does not hold them up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.crypto import key_pair
from holdfast.net import Connection, Peers, Policy
from holdfast.store import Core, Store
from tests.interop.conftest import MakeSide
from tests.interop.content import digest, pattern
from tests.net.loopback import until

COUNT = 300


class Private:
    """A store that asks everybody and gives what its policy says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.policy = Policy()
        self.policy.on_change(lambda _: store.offer_again())
        self.peers = Peers(key_pair(), self._connected)
        self.asks = True

    def _connected(self, connection: Connection) -> None:
        self.store.attach(connection, offers=self.policy.offers, asks=lambda key, peer: self.asks)

    async def dial(self, port: int) -> Connection:
        return await self.peers.connect(f"127.0.0.1:{port}")


@pytest.fixture
async def private(tmp_path: Path) -> AsyncIterator[Private]:
    async with await Store.open(tmp_path / "private") as store:
        node = Private(store)
        yield node
        await node.peers.close()


async def test_only_the_head_is_given_until_told_and_then_what_was_asked_for(
    make_side: MakeSide, private: Private
) -> None:
    writer, reader = await make_side("js"), await make_side("js")
    source = await writer.core(name="x")
    await source.append_pattern("x", COUNT, 100, batch=100)
    ours, theirs = private.store.core(key=source.key), await reader.core(key=source.key)
    to_writer = await private.dial(await writer.listen())
    await asyncio.wait_for(ours.download(0, COUNT).done(), 20)
    to_reader = await private.dial(await reader.listen())
    await theirs.reach(COUNT)  # the head, so that nobody waits for one
    wanted = [asyncio.create_task(theirs.get(index)) for index in (0, COUNT - 1)]
    (asking,) = _peers(ours, to_reader)
    await until(lambda: asking.telling._wants)
    assert asking.blocks_sent == 0 and not await theirs.has(0, COUNT)

    private.policy.offer(ours.discovery_key, to=[to_reader.remote_public_key])
    assert await asyncio.gather(*wanted) == [pattern("x", i, 100) for i in (0, COUNT - 1)]
    assert asking.blocks_sent == 2

    private.policy.withdraw(ours.discovery_key)
    later = asyncio.create_task(theirs.get(1))
    await until(lambda: any(peer.telling._wants for peer in _peers(ours, to_reader)))
    assert [peer.blocks_sent for peer in _peers(ours, to_reader)] == [0]
    await source.append_pattern("x", 1, 100)  # and what it asks for goes on
    assert await ours.get(COUNT, timeout=20) == pattern("x", COUNT, 100)
    private.policy.offer(ours.discovery_key)
    assert await later == pattern("x", 1, 100)
    assert await theirs.digest(list(range(COUNT))) == digest(
        pattern("x", i, 100) for i in range(COUNT)
    )
    assert [peer.blocks_sent for peer in _peers(ours, to_writer)] == [0]


async def test_a_reader_between_a_private_node_and_the_writer_gets_all(
    make_side: MakeSide, private: Private
) -> None:
    """With live updates: the private node has claims and heads that lead nowhere."""
    writer, reader = await make_side("js"), await make_side("js")
    source = await writer.core(name="x")
    await source.append_pattern("x", COUNT, 100, batch=100)
    ours, theirs = private.store.core(key=source.key), await reader.core(key=source.key)
    port = await writer.listen()
    await private.dial(port)
    await asyncio.wait_for(ours.download(0, COUNT).done(), 20)
    connection = await private.dial(await reader.listen())
    await theirs.reach(COUNT)
    await reader.dial(port)
    await theirs.download(0, COUNT)
    for _ in range(3):
        length = await source.append_pattern("x", 50, 100)
        await asyncio.wait_for(ours.download(0, length).done(), 20)
        await theirs.reach(length)
        await theirs.download(0, length)
    assert [peer.blocks_sent for peer in _peers(ours, connection)] == [0]


async def test_a_javascript_writer_learns_that_the_copy_is_complete(
    make_side: MakeSide, private: Private
) -> None:
    writer = await make_side("js")
    source = await writer.core(name="x")
    await source.append_pattern("x", COUNT, 100, batch=100)
    ours = private.store.core(key=source.key)
    connection = await private.dial(await writer.listen())
    await asyncio.wait_for(ours.download(0, COUNT).done(), 20)
    (peer,) = _peers(ours, connection)
    await until(lambda: peer.telling._complete == (0, COUNT))


async def test_an_offer_made_later_reaches_who_asked_before(
    make_side: MakeSide, private: Private
) -> None:
    private.asks = False
    ours = private.store.core(name="mine")
    await ours.append([b"zero", b"one"])
    reader = await make_side("js")
    theirs = await reader.core(key=ours.key)
    connection = await private.dial(await reader.listen())
    wanted = asyncio.create_task(theirs.get(1))
    (attachment,) = private.store._attachments
    await until(lambda: attachment._shown)
    assert ours.peers == []
    private.policy.allow(ours.discovery_key, b"somebody else".ljust(32))
    await asyncio.sleep(0)
    assert ours.peers == [] and not wanted.done()
    private.policy.allow(ours.discovery_key, connection.remote_public_key)
    assert await wanted == b"one"
    private.policy.stop_uploads(connection.remote_public_key)
    assert ours.peers == []
    again = asyncio.create_task(theirs.get(0))
    private.policy.resume_uploads(connection.remote_public_key)
    assert await again == b"zero"


def _peers(core: Core, connection: Connection) -> list:  # type: ignore[type-arg]
    key = connection.remote_public_key
    return [peer for peer in core.peers if peer.remote_public_key == key]
