"""A store that may be an older copy does not write until it has caught up."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.errors import DiskFullError, StaleWriterError
from holdfast.storage import MemoryStorage
from holdfast.store import Store
from tests.support.links import joined


class Restored(MemoryStorage):
    """A store found somewhere else than where it was left."""

    moved = True


def mark_of(storage: MemoryStorage, key: bytes) -> tuple[int, int] | None:
    return storage.highwater(key)


async def test_what_peers_may_have_seen_is_noted() -> None:
    storage = MemoryStorage()
    async with Store(storage) as store:
        core = store.core(name="x")
        await core.append([b"a", b"b"], durable=True)
        assert mark_of(storage, core.key) == (0, 2)
        await core.truncate(1)
        await core.append(b"c", durable=True)
        assert mark_of(storage, core.key) == (1, 2)


async def test_a_store_behind_its_own_mark_catches_up_first() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append([b"zero", b"one", b"two"])
    theirs = b.core(key=mine.key)
    joined(a, b)
    await asyncio.wait_for(theirs.download(0, 3).done(), 5)
    storage = MemoryStorage()
    storage.set_highwater(mine.key, 0, 3)
    old = Store(storage)
    again = old.core(key_pair=mine.key_pair)
    with pytest.raises(StaleWriterError):
        await again.append(b"a fork for ever")
    joined(old, b)
    await again.update(wait=True, timeout=5)
    assert await again.append(b"three") == 4
    assert await again.get(1, timeout=5) == b"one"
    assert await theirs.get(3, timeout=5) == b"three"
    for store in (a, b, old):
        await store.close()


async def test_a_peer_that_has_more_stops_the_writer() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append([b"zero", b"one"], durable=True)
    twin = b.core(key_pair=mine.key_pair)
    twin._opened.replicator.halt(DiskFullError("full"))  # it hears of the blocks and takes none
    joined(a, b)
    for _ in range(20):
        await asyncio.sleep(0)
    with pytest.raises(StaleWriterError):
        await twin.append(b"zwei")
    twin._opened.replicator.resume()
    await twin.update(wait=True, timeout=5)
    assert await twin.append(b"two") == 3
    await a.close()
    await b.close()


async def test_a_moved_store_needs_somebody_who_knows_the_log() -> None:
    storage = Restored()
    a, b = Store(storage), await Store.open(None)
    mine = a.core(name="x")
    assert await mine.append(b"zero") == 1  # an empty log can contradict nobody
    mine._opened.guard._cleared = False
    with pytest.raises(StaleWriterError):
        await mine.append(b"one")
    storage.moved = False
    assert await mine.append(b"one", durable=True) == 2
    storage.moved = True
    mine._opened.guard._cleared = False
    theirs = b.core(key=mine.key)
    joined(a, b)
    await asyncio.wait_for(theirs.download(0, 2).done(), 5)
    for _ in range(20):
        await asyncio.sleep(0)
    assert await mine.append(b"two") == 3
    await a.close()
    await b.close()
