"""A full disk: a clear error, everything acknowledged intact, and it goes on when there is room."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.errors import DiskFullError, StoreError
from holdfast.hyperdrive import Drive
from holdfast.hyperdrive.target import PARTIAL
from holdfast.node import Node
from holdfast.store import Core, Store
from tests.faults.workers.appending import KEY
from tests.faults.workers.content import block
from tests.faults.workers.tight import ROOM, Tight, tight_place
from tests.support.links import joined

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("kind", ["disk", "files"])]

SIZES = (100, 1000, 20_000, 65_536)
BLOCKS = 250
"""5 MB of them: more than the tight places hold."""


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "state"))


@pytest.fixture
def place(kind: str, tmp_path: Path) -> Iterator[Tight]:
    with tight_place(kind, tmp_path) as made:
        yield made


async def append_until_full(core: Core) -> int:
    """Append until it is refused; returns the length that was acknowledged."""
    acknowledged = core.length
    with pytest.raises(DiskFullError):
        while acknowledged < BLOCKS:
            end = acknowledged + random.choice((1, 1, 5))
            blocks = [block(0, index, SIZES) for index in range(acknowledged, end)]
            acknowledged = await core.append(blocks)
    assert core.length == acknowledged, "nothing of the last one is there"
    return acknowledged


def check(core: Core, length: int) -> None:
    assert core.length == length
    for index in range(length):
        assert core.get_local(index) == block(0, index, SIZES)


@pytest.mark.parametrize("little", [0, 4096, 32_768, 100_000, 160_000])
async def test_making_a_store_and_a_drive(place: Tight, kind: str, little: int) -> None:
    """Wherever it stops, it can be done again when there is room."""
    place.tighten(little)
    # SQLite does not tell a limit on files from a broken disk.
    with pytest.raises(DiskFullError if kind == "disk" else StoreError):
        async with Node(await Store.open(place.directory / "store")) as node:
            drive = await node.drive(name="docs")
            while True:
                await drive.put("/a", bytes(10_000))
    place.free()
    async with Node(await Store.open(place.directory / "store")) as node:
        drive = await node.drive(name="docs")
        await drive.put("/a", b"a")
        assert [entry.path async for entry in drive.list()] == ["/a"]
    async with Node(await Store.open(place.directory / "store")) as node:
        assert await (await node.drive(name="docs")).get("/a") == b"a"


async def test_appending(place: Tight) -> None:
    store = await Store.open(place.directory / "store")
    core = store.core(name="log", encryption_key=KEY)
    place.tighten()
    length = await append_until_full(core)
    for _ in range(20):  # asking again and again changes nothing
        with pytest.raises(DiskFullError):
            await core.append([block(0, length + i, SIZES) for i in range(80)])
    check(core, length)
    place.free()
    for index in range(length, length + 20):
        assert await core.append(block(0, index, SIZES)) == index + 1
    await store.close()
    store = await Store.open(place.directory / "store")
    check(store.core(name="log", encryption_key=KEY), length + 20)
    await store.close()


async def test_a_store_that_was_killed_on_a_full_disk_opens_there(place: Tight) -> None:
    """What it holds can be read before there is room again."""
    store = await Store.open(place.directory / "store")
    core = store.core(name="log", encryption_key=KEY)
    place.tighten()
    length = await append_until_full(core)
    await store.close()
    store = await Store.open(place.directory / "store")
    core = store.core(name="log", encryption_key=KEY)
    check(core, length)
    place.free()
    await core.append(block(0, length, SIZES))
    await store.close()
    store = await Store.open(place.directory / "store")
    check(store.core(name="log", encryption_key=KEY), length + 1)
    await store.close()


async def test_receiving(place: Tight) -> None:
    writer, reader = await Store.open(None), await Store.open(place.directory / "store")
    ours, small = writer.core(name="log", encryption_key=KEY), writer.core(name="small")
    await ours.append([block(0, index, SIZES) for index in range(BLOCKS)])
    await small.append([b"a", b"b"])
    link = joined(writer, reader)
    other = reader.core(key=small.key)
    assert await other.get(1, timeout=10) == b"b"
    place.tighten()
    theirs = reader.core(key=ours.key, encryption_key=KEY)
    await theirs.update(wait=True, timeout=10)
    with pytest.raises(DiskFullError):
        await asyncio.wait_for(theirs.download(0, BLOCKS).done(), 30)
    assert await other.get(1, timeout=10) == b"b"
    with pytest.raises(DiskFullError):
        await asyncio.wait_for(theirs.download(0, BLOCKS).done(), 30)
    here = [index for index in range(BLOCKS) if theirs.has(index)]
    assert 0 < len(here) < BLOCKS
    for index in here:
        assert await theirs.get(index, timeout=10) == block(0, index, SIZES)
    place.free()
    await asyncio.wait_for(theirs.download(0, BLOCKS).done(), 30)
    check(theirs, BLOCKS)
    assert await other.get(0, timeout=10) == b"a"
    link.cut()
    await reader.close()
    reader = await Store.open(place.directory / "store")
    check(reader.core(key=ours.key, encryption_key=KEY), BLOCKS)
    assert reader.core(key=small.key).get_local(1) == b"b"
    await reader.close()


async def test_reading_block_by_block(place: Tight) -> None:
    """Whoever reads gets the block, although it cannot be kept, or the error; never another one."""
    writer, reader = await Store.open(None), await Store.open(place.directory / "store")
    ours = writer.core(name="log", encryption_key=KEY)
    await ours.append([block(0, index, SIZES) for index in range(BLOCKS)])
    joined(writer, reader)
    theirs = reader.core(key=ours.key, encryption_key=KEY)
    await theirs.update(wait=True, timeout=10)
    place.tighten()
    for index in range(BLOCKS):
        with suppress(DiskFullError):
            assert await theirs.get(index, timeout=10) == block(0, index, SIZES)
    assert not theirs.has(0, BLOCKS)
    for index in range(BLOCKS):
        if theirs.has(index):
            assert theirs.get_local(index) == block(0, index, SIZES)
    place.free()
    for index in range(BLOCKS):
        assert await theirs.get(index, timeout=10) == block(0, index, SIZES)
    await reader.sync()
    check(theirs, BLOCKS)
    await reader.close()


async def test_putting(place: Tight) -> None:
    store = await Store.open(place.directory / "store")
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        await drive.put("/first", b"first")
        place.tighten()
        with pytest.raises(DiskFullError):
            await drive.put("/big", random.randbytes(ROOM // 2))
        assert [entry.path async for entry in drive.list()] == ["/first"]
        assert await drive.get("/first") == b"first"
        place.free()
        big = random.randbytes(1 << 20)
        await drive.put("/big", big)
        assert await drive.get("/big") == big
    await store.close()
    store = await Store.open(place.directory / "store")
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        assert [entry.path async for entry in drive.list()] == ["/big", "/first"]
        assert await drive.get("/big") == big
    await store.close()


async def test_mirroring_out(place: Tight) -> None:
    store = await Store.open(None)
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        contents = {f"/file {n}": random.randbytes(1 << 18) for n in range(12)}
        contents["/big"] = random.randbytes((3 << 20) + 5)
        for path, content in contents.items():
            await drive.put(path, content)
        target = place.directory / "target"
        place.tighten()
        with pytest.raises(DiskFullError):
            await drive.mirror_to(target)
        check_folder(target, contents)
        place.free()
        done = await drive.mirror_to(target)
        assert not done.refused
        assert check_folder(target, contents) == len(contents)
        assert not list(target.rglob(PARTIAL + "*"))
    await store.close()


def check_folder(target: Path, contents: dict[str, bytes]) -> int:
    """Every file that has its name is whole; returns how many there are."""
    found = [path for path in target.rglob("*") if not path.name.startswith(PARTIAL)]
    for path in found:
        assert path.read_bytes() == contents[f"/{path.name}"]
    return len(found)


async def test_a_source_that_fails_leaves_nothing_visible(place: Tight) -> None:
    async def failing() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(1 << 16)
        raise OSError(5, "Input/output error")

    store = await Store.open(place.directory / "store")
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        await drive.put("/first", b"first")
        version = drive.version
        with pytest.raises(OSError, match="Input/output"):
            await drive.put("/broken", failing())
        assert drive.version == version
        assert await drive.entry("/broken") is None
        await drive.put("/second", b"second")
    await store.close()
    store = await Store.open(place.directory / "store")
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        assert [entry.path async for entry in drive.list()] == ["/first", "/second"]
        assert await drive.get("/second") == b"second"
    await store.close()
