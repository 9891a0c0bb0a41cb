"""Which logs go over which connection: many, private ones, and channels that come back."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.errors import BlockNotAvailable, DamagedError
from holdfast.store import Store
from tests.support.links import joined


async def turns(count: int = 20) -> None:
    """Let everything that is ready happen."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_many_logs_share_one_connection() -> None:
    a, b = await Store.open(None), await Store.open(None)
    link = joined(a, b)
    mine = [a.core(name=f"log {i}") for i in range(30)]
    for i, core in enumerate(mine):
        await core.append([b"%d" % i] * 20)
    theirs = [b.core(key=core.key) for core in mine]
    got = await asyncio.wait_for(asyncio.gather(*(core.get(19) for core in theirs)), 10)
    assert got == [b"%d" % i for i in range(30)]
    assert len(link.mux.channels()) == 30
    await a.close()
    await b.close()


@pytest.mark.parametrize("side", ["ours", "theirs"])
async def test_a_closed_channel_comes_back_when_somebody_reads(side: str) -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append([b"zero", b"one", b"two"])
    theirs = b.core(key=mine.key)
    link = joined(a, b)
    assert await theirs.get(0, timeout=5) == b"zero"
    (theirs if side == "ours" else mine).peers[0].port.close()
    await turns()
    assert link.mux.channels() == []
    assert (mine.peers, theirs.peers) == ([], [])
    assert await theirs.get(1, timeout=5) == b"one"
    mine.peers[0].port.close()
    await turns()
    await asyncio.wait_for(theirs.download(0, 3).done(), 5)
    mine.peers[0].port.close()
    await turns()
    assert not await theirs.update()
    await turns()
    assert len(theirs.peers) == 1
    await a.close()
    await b.close()


async def test_a_log_opened_later_finds_the_connection() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append(b"zero")
    joined(a, b)
    await turns()
    assert mine.peers == []
    assert await b.core(key=mine.key).get(0, timeout=5) == b"zero"
    await a.close()
    await b.close()


async def test_a_private_log_is_offered_once_that_is_allowed() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine, other = a.core(name="x"), a.core(name="other")
    await mine.append(b"secret")
    await other.append(b"open")
    shared = {other.discovery_key}
    link = joined(a, b, offers_a=lambda key, peer: key in shared)
    theirs = b.core(key=mine.key)
    assert await b.core(key=other.key).get(0, timeout=5) == b"open"
    reading = asyncio.create_task(theirs.get(0))
    await turns()
    assert theirs.peers == []
    assert len(link.mux.channels()) == 1
    shared.add(mine.discovery_key)
    a.offer_again()
    assert await asyncio.wait_for(reading, 5) == b"secret"
    await a.close()
    await b.close()


async def test_offers_name_the_peer() -> None:
    a, b = await Store.open(None), await Store.open(None)
    asked: set[bytes] = set()
    joined(a, b, offers_a=lambda key, peer: asked.add(peer) or False)
    a.core(name="x")
    await turns()
    assert asked == {b"b" * 32}
    await a.close()
    await b.close()


async def test_a_reader_goes_on_over_a_new_connection() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append(b"zero")
    theirs = b.core(key=mine.key)
    link = joined(a, b)
    await theirs.get(0, timeout=5)
    waiting = asyncio.create_task(theirs.get(1))
    await turns()
    link.cut()
    await mine.append(b"one")
    joined(a, b)
    assert await asyncio.wait_for(waiting, 5) == b"one"
    await a.close()
    await b.close()


async def test_a_reader_that_gives_up_leaves_nothing_behind() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append(b"zero")
    theirs = b.core(key=mine.key)
    joined(a, b)
    await theirs.get(0, timeout=5)
    with pytest.raises(BlockNotAvailable):
        await theirs.get(7, timeout=0.01)
    waiting = asyncio.create_task(theirs.get(8))
    await turns()
    waiting.cancel()
    await turns()
    assert theirs._opened.replicator.blocks._wanted == {}
    await a.close()
    await b.close()


async def test_a_damaged_block_of_a_writer_is_repaired_by_a_peer() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append([b"block %d" % i for i in range(10)])
    theirs = b.core(key=mine.key)
    link = joined(a, b)
    await asyncio.wait_for(theirs.download(0, 10).done(), 5)
    link.cut()
    backend = mine._log.backend
    backend._data[backend.leaf(4).offset] = b"rotten!"
    with pytest.raises(DamagedError):
        await mine.get(4, timeout=5)
    assert mine.damaged
    joined(a, b)
    await turns()
    assert await mine.get(4, timeout=5) == b"block 4"
    assert not mine.damaged
    await mine.sync()
    assert mine.get_local(4) == b"block 4"
    await a.close()
    await b.close()
