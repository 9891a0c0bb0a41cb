"""Stores joined in one process: names, keys, sessions, encryption, who is offered what."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.crypto import key_pair
from holdfast.errors import BlockNotAvailable, ClosedError, NotWritableError, SeekError
from holdfast.store import Store
from tests.support.links import MemoryLink, joined

KEY = b"k" * 32


async def pair() -> tuple[Store, Store, MemoryLink]:
    a, b = await Store.open(None), await Store.open(None)
    return a, b, joined(a, b)


async def test_a_name_is_always_the_same_log() -> None:
    async with await Store.open(None) as store:
        one, two = store.core(name="films"), store.core(name="films")
        assert one.key == two.key != store.core(name="other").key
        assert one.key != store.namespace("family").core(name="films").key
        await one.append(b"hello")
        assert await two.get(0) == b"hello"


async def test_an_own_log_opened_by_key_can_be_written() -> None:
    async with await Store.open(None) as store:
        key = store.core(name="films").key
        assert store.core(key=key).writable
        assert not store.core(key=b"x" * 32).writable


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("encryption_key", [None, KEY])
async def test_blocks_travel(compat: bool, encryption_key: bytes | None) -> None:
    a, b, _ = await pair()
    mine = a.core(key_pair=key_pair(b"s" * 32), compat=compat, encryption_key=encryption_key)
    await mine.append([b"zero", b"one", b""])
    theirs = b.core(key=mine.key, encryption_key=encryption_key)
    assert await theirs.get(1, timeout=5) == b"one"
    assert await theirs.get(2, timeout=5) == b""
    assert theirs.length == 3
    assert theirs.byte_length == 7
    assert await theirs.seek(5) == (1, 1)
    waiting = asyncio.create_task(theirs.get(3, timeout=5))
    await mine.append(b"three")
    assert await waiting == b"three"
    await a.close()
    await b.close()


async def test_ciphertext_is_all_that_is_stored_and_sent() -> None:
    a, b, _ = await pair()
    mine = a.core(name="x", encryption_key=KEY)
    await mine.append(b"plain words")
    blind = b.core(key=mine.key)
    stored = await blind.get(0, timeout=5)
    assert b"plain" not in stored
    assert len(stored) == len(b"plain words") + 8


async def test_a_stranger_to_the_key_learns_nothing() -> None:
    a, b, link = await pair()
    mine = a.core(name="x")
    await mine.append(b"secret")
    link.cut()
    link = joined(a, b, offers_a=lambda key, peer: False)
    theirs = b.core(key=mine.key)
    with pytest.raises(BlockNotAvailable):
        await theirs.get(0, timeout=0.05)
    assert theirs.peers == []


async def test_update_and_waiting() -> None:
    a, b, link = await pair()
    mine = a.core(name="x")
    theirs = b.core(key=mine.key)
    await asyncio.wait_for(theirs.update(), 5)
    await mine.append(b"one")
    assert await theirs.update(wait=True, timeout=5)
    assert theirs.length == 1
    link.cut()
    assert not await theirs.update()
    with pytest.raises(BlockNotAvailable):
        await theirs.get(0, wait=False)


async def test_snapshots_stay() -> None:
    async with await Store.open(None) as store:
        core = store.core(name="x")
        await core.append([b"a", b"b"])
        snapshot = core.snapshot()
        await core.append(b"c")
        assert snapshot.length == 2
        assert await snapshot.get(1) == b"b"
        with pytest.raises(SeekError):
            await snapshot.get(2)
        with pytest.raises(NotWritableError):
            await snapshot.append(b"d")


async def test_appends_in_flight_keep_their_order() -> None:
    async with await Store.open(None) as store:
        core = store.core(name="x")
        lengths = await asyncio.gather(
            *(core.append(b"%d" % i, durable=bool(i % 3)) for i in range(200))
        )
        assert lengths == list(range(1, 201))
        assert [await core.get(i) for i in range(200)] == [b"%d" % i for i in range(200)]


async def test_downloads_and_events() -> None:
    a, b, _ = await pair()
    mine = a.core(name="x")
    await mine.append([b"%d" % i for i in range(500)])
    theirs = b.core(key=mine.key)
    heard: list[int] = []
    stop = theirs.on_append(lambda: heard.append(theirs.length))
    download = theirs.download(0, 500)
    await asyncio.wait_for(download.done(), 10)
    assert theirs.contiguous_length == 500
    assert heard[-1] == 500
    stop()
    live = theirs.download()
    await mine.append(b"more")
    assert await theirs.get(500, timeout=5) == b"more"
    live.close()


async def test_truncation_is_heard_of() -> None:
    a, b, _ = await pair()
    mine = a.core(name="x")
    await mine.append([b"%d" % i for i in range(10)])
    theirs = b.core(key=mine.key)
    await theirs.update(wait=True, timeout=5)
    cut: list[int] = []
    theirs.on_truncate(cut.append)
    await mine.truncate(4)
    await mine.append(b"new")
    await theirs.update(wait=True, timeout=5)
    while theirs.length != 5:
        await theirs.update(wait=True, timeout=5)
    assert theirs.fork == 1
    assert cut == [4]
    assert await theirs.get(4, timeout=5) == b"new"


async def test_extensions_talk() -> None:
    a, b, _ = await pair()
    mine, theirs = a.core(name="x"), None
    await mine.append(b"one")
    theirs = b.core(key=mine.key)
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    mine.extension("chat", lambda data, peer: heard.set_result(data))
    out = theirs.extension("chat", lambda data, peer: None)
    await theirs.get(0, timeout=5)
    out.broadcast(b"hello")
    assert await asyncio.wait_for(heard, 5) == b"hello"


async def test_a_closed_store_says_so() -> None:
    store = await Store.open(None)
    core = store.core(name="x")
    waiting = asyncio.create_task(store.core(key=b"x" * 32).get(0))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(ClosedError):
        await waiting
    with pytest.raises(ClosedError):
        await core.append(b"late")
    with pytest.raises(ClosedError):
        store.core(name="y")


async def test_one_channel_for_a_log_however_often_it_is_opened() -> None:
    a, b, link = await pair()
    mine = a.core(name="x")
    await mine.append(b"one")
    for _ in range(5):
        await b.core(key=mine.key).get(0, timeout=5)
    assert len(mine.peers) == 1
    assert len(link.mux.channels()) == 1
