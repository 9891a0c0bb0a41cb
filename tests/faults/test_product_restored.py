"""An older copy of a writer's store: it never signs a second head for what was already shown."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import ConflictError, StaleWriterError
from holdfast.hyperdrive import Drive
from holdfast.store import Core, Store
from tests.faults.workers.appending import KEY
from tests.faults.workers.content import block
from tests.support.links import joined

pytestmark = pytest.mark.faults

SIZES = (100, 1000, 5000)
OLD, NEW = 10, 16
"""Length of the log in the old copy, and the length that was shown to a peer."""

State = Callable[[str], None]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """Name the directory with high-water marks; another name is another machine's."""

    def use(name: str) -> None:
        monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / name))

    use("state")
    return use


def log(store: Store, name: str = "log") -> Core:
    return store.core(name=name, encryption_key=KEY)


async def append(core: Core, end: int) -> None:
    while core.length < end:
        await core.append(block(0, core.length, SIZES))


async def everything(ours: Core, theirs: Core) -> None:
    """The reader has all that the writer has, and it is right."""
    await theirs.update(timeout=10)
    assert theirs.length == ours.length
    await asyncio.wait_for(theirs.download(0, ours.length).done(), 10)
    for index in range(NEW):
        assert await theirs.get(index) == block(0, index, SIZES)


async def copied_and_continued(top: Path) -> Store:
    """A store ``top/store``, an older copy ``top/copy``; returns a peer that has seen it all."""
    store = await Store.open(top / "store")
    await append(log(store), OLD)
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        await drive.put("/old", b"old")
    await store.close()
    shutil.copytree(top / "store", top / "copy")
    store, peer = await Store.open(top / "store"), await Store.open(None)
    joined(store, peer)
    core = log(store)
    theirs = peer.core(key=core.key, encryption_key=KEY)
    await append(core, NEW)
    await everything(core, theirs)
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        await drive.put("/new", b"new")
        async with Drive(peer, drive.core.key, encryption_key=KEY) as copy:
            await copy.update(wait=True, timeout=10)
            assert await copy.download() == 2
            await copy.core.download(0, copy.core.length).done()
    await store.close()
    return peer


def restore_in_place(source: Path, target: Path) -> None:
    """As a backup program does that writes over what is there: the inodes stay."""
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_file() and not (source / path.relative_to(target)).exists():
            path.unlink()
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("r+b" if place.exists() else "wb") as file:
                file.truncate()
                file.write(path.read_bytes())


async def refused(store: Store) -> None:
    """Neither the log nor the drive takes anything, and nothing changes."""
    core = log(store)
    for _ in range(3):
        with pytest.raises(StaleWriterError):
            await core.append(b"another block")
    assert core.length == OLD
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        with pytest.raises(StaleWriterError):
            await drive.put("/another", b"another")
        assert [entry.path async for entry in drive.list()] == ["/old"]


async def catches_up(store: Store, peer: Store) -> None:
    """Connected to the peer, writing goes on where it was, without a fork."""
    link = joined(store, peer)
    core = log(store)
    async with asyncio.timeout(10):
        while core.length < NEW:
            await core.next_change()
    assert core.length == NEW
    await append(core, NEW + 3)
    theirs = peer.core(key=core.key, encryption_key=KEY)
    await everything(core, theirs)
    assert (core.fork, theirs.fork, theirs.length) == (0, 0, NEW + 3)
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        async with asyncio.timeout(10):
            while await drive.entry("/new") is None:
                await drive.core.next_change()
        await drive.put("/newer", b"newer")
        async with Drive(peer, drive.core.key, encryption_key=KEY) as copy:
            await copy.update(timeout=10)
            for each in (drive, copy):
                found = {entry.path: await each.get(entry) async for entry in each.list()}
                assert found == {"/old": b"old", "/new": b"new", "/newer": b"newer"}
    assert not any(opened.log.frozen for each in (store, peer) for opened in each.logs)
    link.cut()


async def test_restored_in_place(tmp_path: Path, state: State) -> None:
    """Nothing tells but the mark outside the store."""
    peer = await copied_and_continued(tmp_path)
    restore_in_place(tmp_path / "copy", tmp_path / "store")
    store = await Store.open(tmp_path / "store")
    assert not store.storage.moved
    await refused(store)
    await catches_up(store, peer)
    await store.close()
    store = await Store.open(tmp_path / "store")
    await append(log(store), NEW + 5)
    await store.close()


async def test_a_copy_elsewhere_on_the_same_machine(tmp_path: Path, state: State) -> None:
    """The mark tells and the place too."""
    peer = await copied_and_continued(tmp_path)
    store = await Store.open(tmp_path / "copy")
    assert store.storage.moved
    await refused(store)
    store.storage.confirm_moved()
    await refused(store)  # saying so does not help against what is known to have been shown
    await catches_up(store, peer)
    await store.close()


async def test_a_copy_on_another_machine(tmp_path: Path, state: State) -> None:
    """Only the place tells; the owner may say that it is the only copy."""
    peer = await copied_and_continued(tmp_path)
    state("another machine")
    store = await Store.open(tmp_path / "copy")
    await refused(store)
    await store.close()
    store = await Store.open(tmp_path / "copy")
    await refused(store)
    await catches_up(store, peer)
    await store.close()


async def test_a_moved_store_whose_owner_says_so(tmp_path: Path, state: State) -> None:
    store = await Store.open(tmp_path / "store")
    await append(log(store), OLD)
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        await drive.put("/old", b"old")
    await store.close()
    shutil.copytree(tmp_path / "store", tmp_path / "moved")
    state("another machine")
    store = await Store.open(tmp_path / "moved")
    await refused(store)
    store.storage.confirm_moved()
    await append(log(store), NEW)
    await store.close()
    store = await Store.open(tmp_path / "moved")
    assert not store.storage.moved
    await append(log(store), NEW + 1)
    await store.close()


async def test_only_a_peer_can_tell(tmp_path: Path, state: State) -> None:
    """Restored in place with its marks: a connected peer that has more is waited for."""
    peer = await copied_and_continued(tmp_path)
    restore_in_place(tmp_path / "copy", tmp_path / "store")
    state("empty")
    store = await Store.open(tmp_path / "store")
    core = log(store)
    joined(store, peer)
    while not any(each.remote.synced for each in core.peers):  # noqa: ASYNC110 - no such event
        await asyncio.sleep(0)
    outcomes = []
    while core.length <= NEW:
        try:
            await core.append(block(0, core.length, SIZES))
            outcomes.append("appended")
        except StaleWriterError:
            outcomes.append("refused")
            assert core.length <= NEW
            await asyncio.sleep(0)
    assert outcomes[-1] == "appended" and outcomes.count("appended") == 1
    assert core.length == NEW + 1 and core.fork == 0
    await everything(core, peer.core(key=core.key, encryption_key=KEY))
    await store.close()


async def two_that_wrote(top: Path, state: State) -> tuple[Store, Store]:
    """Two copies of one store whose owner said of both that it is the only one."""
    store = await Store.open(top / "store")
    await append(log(store), OLD)
    await append(log(store, "other"), 5)
    await store.close()
    shutil.copytree(top / "store", top / "copy")
    state("another machine")
    one, two = await Store.open(top / "store"), await Store.open(top / "copy")
    two.storage.confirm_moved()
    for number, each in enumerate((one, two)):
        for index in range(OLD, NEW + number):
            await log(each).append(b"block %d of %d" % (index, number))
    await log(one, "other").append(block(0, 5, SIZES))
    return one, two


async def test_two_copies_that_both_wrote(tmp_path: Path, state: State) -> None:
    """Who meets both keeps the evidence and freezes that log; all other logs go on."""
    one, two = await two_that_wrote(tmp_path, state)
    reader = await Store.open(tmp_path / "reader")
    keys = log(one).key, log(one, "other").key
    link = joined(one, reader)
    theirs, other = (reader.core(key=key, encryption_key=KEY) for key in keys)
    await theirs.update(wait=True, timeout=10)
    await theirs.download(0, NEW).done()
    link.cut()
    link = joined(two, reader)
    assert await other.get(1, timeout=10) == block(0, 1, SIZES)
    with pytest.raises(ConflictError):
        await theirs.get(NEW, timeout=10)  # only the second copy has it
    await still_frozen(reader, keys, one)
    link.cut()
    await reader.close()
    reader = await Store.open(tmp_path / "reader")
    await still_frozen(reader, keys, one)
    for store in (one, two, reader):
        await store.close()


async def still_frozen(reader: Store, keys: tuple[bytes, bytes], writer: Store) -> None:
    """The log is readable as it was and takes nothing more; the other one follows its writer."""
    link = joined(writer, reader)
    theirs, other = (reader.core(key=key, encryption_key=KEY) for key in keys)
    assert reader.storage.get_setting(f"conflict/{keys[0].hex()}")
    assert theirs.length == NEW and theirs.peers == []
    for index in range(OLD, NEW):
        assert await theirs.get(index) == b"block %d of 0" % index
    ours = log(writer, "other")
    await append(ours, ours.length + 1)
    while other.length < ours.length:
        await other.update(wait=True, timeout=10)
    assert await other.get(ours.length - 1, timeout=10) == block(0, ours.length - 1, SIZES)
    link.cut()


async def test_the_two_copies_meet(tmp_path: Path, state: State) -> None:
    """A writer that meets its twin stops writing that log, and says so after a restart too."""
    one, two = await two_that_wrote(tmp_path, state)
    joined(one, two)
    core = log(one)
    for _ in range(200):
        await asyncio.sleep(0)
    with pytest.raises(ConflictError):
        await core.append(b"more")
    await append(log(one, "other"), 8)
    await one.close()
    await two.close()
    one = await Store.open(tmp_path / "store")
    with pytest.raises(ConflictError):
        await log(one).append(b"more")
    await append(log(one, "other"), 9)
    await one.close()
