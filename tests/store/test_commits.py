"""Group commit: order, full disks, and who hears of what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from holdfast.errors import ClosedError, DiskFullError, NotWritableError
from holdfast.hypercore import Backend, Change
from holdfast.storage import MemoryStorage
from holdfast.store import Store
from holdfast.store.core import Core
from tests.support.links import joined


class FullDisk:
    """A backend whose next writes of blocks are refused, as often as it is told."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.refusals = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def write(self, change: Change, *, durable: bool) -> int:
        if self.refusals and change.blocks:
            self.refusals -= 1
            raise DiskFullError("The disk is full.")
        return self._backend.write(change, durable=durable)


class SlowStorage(MemoryStorage):
    """A store whose writes are durable only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.durable = 0
        self.gate = asyncio.Event()

    @property
    def synced(self) -> int:
        return self.durable

    async def sync(self, ticket: int | None = None) -> None:
        await self.gate.wait()
        self.durable = self._ticket


def disk_of(core: Core) -> FullDisk:
    disk = FullDisk(core._log.backend)
    core._log.backend = disk  # type: ignore[assignment]
    return disk


@pytest.fixture
def blocks() -> Iterator[bytes]:
    return (b"block %d" % i for i in range(1000))


async def test_a_full_disk_takes_the_whole_group_and_leaves_no_gap(blocks: Iterator[bytes]) -> None:
    a, b = Store(MemoryStorage()), await Store.open(None)
    mine = a.core(name="x")
    theirs = b.core(key=mine.key)
    joined(a, b)
    await mine.append(next(blocks), durable=True)
    disk = disk_of(mine)
    disk.refusals = 1
    group = await asyncio.gather(
        *(mine.append(next(blocks), durable=True) for _ in range(5)), return_exceptions=True
    )
    assert [type(result) for result in group] == [DiskFullError] * 5
    assert (mine.length, mine.has(1)) == (1, False)
    assert await mine.append([b"one", b"two"], durable=True) == 3
    assert await theirs.get(2, timeout=5) == b"two"
    assert await mine.get(1) == b"one"
    await a.close()
    await b.close()


async def test_a_full_disk_meets_an_append_that_does_not_wait(blocks: Iterator[bytes]) -> None:
    async with Store(MemoryStorage()) as store:
        core = store.core(name="x")
        disk = disk_of(core)
        waiting = asyncio.create_task(core.append(next(blocks), durable=True))
        await asyncio.sleep(0)
        disk.refusals = 1
        with pytest.raises(DiskFullError):
            await core.append(next(blocks), durable=False)
        with pytest.raises(DiskFullError):  # both were one change
            await waiting
        assert await core.append(b"next") == 1
        assert await core.get(0) == b"next"


async def test_peers_see_only_what_is_durable() -> None:
    storage = SlowStorage()
    a, b = Store(storage), await Store.open(None)
    mine = a.core(name="x")
    theirs = b.core(key=mine.key)
    joined(a, b)
    assert await mine.append(b"zero", durable=False) == 1
    second = asyncio.create_task(mine.append(b"one", durable=True))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (mine.length, theirs.length, second.done()) == (2, 0, False)
    assert mine.peers[0].log.shared.length == 0
    storage.gate.set()
    assert await second == 2
    assert await theirs.get(1, timeout=5) == b"one"
    await a.close()
    await b.close()


async def test_a_truncation_fails_appends_still_on_their_way() -> None:
    async with Store(MemoryStorage()) as store:
        core = store.core(name="x")
        await core.append([b"a", b"b"])
        late = asyncio.create_task(core.append(b"c", durable=True))
        await asyncio.sleep(0)
        core._log.truncate(1)
        with pytest.raises(ClosedError):
            await late
        assert core.length == 1
        assert await core.append(b"d", durable=True) == 2


async def test_an_append_becomes_durable_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.store.commits.SYNC_DELAY", 0)
    async with Store(MemoryStorage()) as store:
        core = store.core(name="x")
        shown = asyncio.Event()
        core.on_append(shown.set)
        await core.append(b"a", durable=False)
        await asyncio.wait_for(shown.wait(), 5)
        assert core._log.shared.length == 1


async def test_only_the_owner_appends() -> None:
    async with Store(MemoryStorage()) as store:
        with pytest.raises(NotWritableError):
            await store.core(key=b"x" * 32).append(b"mine now")


async def test_a_reader_whose_disk_is_full_stops_and_goes_on_when_told() -> None:
    a, b = await Store.open(None), await Store.open(None)
    mine = a.core(name="x")
    await mine.append([b"%d" % i for i in range(50)])
    theirs = b.core(key=mine.key)
    disk = disk_of(theirs)
    disk.refusals = 1
    joined(a, b)
    with pytest.raises(DiskFullError):
        await asyncio.wait_for(theirs.download(0, 50).done(), 5)
    assert not theirs.has(0)
    assert not any(peer.claims.has(0) for peer in mine.peers)
    theirs._opened.replicator.resume()
    await asyncio.wait_for(theirs.download(0, 50).done(), 5)
    assert await theirs.get(49) == b"49"
    await a.close()
    await b.close()
