"""Reading a drive that lies on another machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import BlockNotAvailable, DamagedError, NotFoundError
from holdfast.hyperdrive import Drive
from holdfast.hyperdrive.source import BLOCK
from holdfast.store import Store
from tests.support.links import joined

SECRET = bytes(range(32))
either = pytest.mark.parametrize("secret", [None, SECRET], ids=["public", "private"])


async def reach(other: Drive, own: Drive) -> None:
    """Wait until a remote drive has the present version."""
    async with asyncio.timeout(5):
        while other.version < own.version:
            await other.update(wait=True)


async def held(drive: Drive) -> int:
    """Blocks of content that are on this machine."""
    core = (await drive.blobs()).core
    return sum(core.has(i) for i in range(core.length))


@either
async def test_only_what_is_read_comes_over(
    pair: tuple[Store, Store], secret: bytes | None
) -> None:
    here, there = pair
    data = os.urandom(40 * BLOCK + 5)
    async with (
        Drive(here, encryption_key=secret) as own,
        Drive(there, own.key, encryption_key=secret) as other,
    ):
        await own.put("/big", data)
        await own.put("/d/small", b"kia ora", executable=True, metadata={"n": 1})
        await own.symlink("/l", "d/small")
        await reach(other, own)
        assert [entry.path async for entry in other.list()] == ["/big", "/d/small", "/l"]
        assert await other.size("/big") == len(data)
        assert (await other.stat("/d/small")).size == 7
        assert await held(other) == 0
        at = 20 * BLOCK + 100
        parts = [part async for part in other.read_stream("/big", at, length=50)]
        assert b"".join(parts) == data[at : at + 50]
        assert await held(other) <= 2
        assert await other.get("/l") == b"kia ora"
        assert await held(other) <= 3
        assert not await other.has("/big") and await other.has("/d/small")
        assert await other.get("/big") == data and await other.has("/big")
        await other.clear("/big")
        assert not await other.has("/big")
        async with await other.open("/big") as file:
            await file.seek(-5, 2)
            assert await file.read() == data[-5:]
        assert await other.get("/big") == data


async def test_a_reader_that_stops_stops_the_transfer(pair: tuple[Store, Store]) -> None:
    here, there = pair
    async with Drive(here) as own, Drive(there, own.key) as other:
        await own.put("/big", os.urandom(400 * BLOCK))
        await reach(other, own)
        async with await other.open("/big") as file:
            await file.read(10)
        for _ in range(200):
            await asyncio.sleep(0)
        assert await held(other) <= 2 * 64


async def test_download_and_then_alone(pair: tuple[Store, Store], tmp_path: Path) -> None:
    here, there = pair
    async with Drive(here) as own, Drive(there, own.key) as other:
        files = {f"/d/{i}": os.urandom(i * 7000) for i in range(30)}
        async with own.batch() as batch:
            for path, data in files.items():
                await batch.put(path, data)
        await own.put("/not", os.urandom(BLOCK))
        await reach(other, own)
        assert await other.download("/d") == 30 and not await other.has("/not")
        assert await other.has("/d")
        assert await other.download("/not") == 1 and await other.has()
        assert await other.download() == 31
        async with await Store.open(None) as third:
            link = joined(there, third)
            async with Drive(third, own.key) as copy:
                await copy.update(wait=True)
                await copy.mirror_to(tmp_path)
            link.cut()
        for path, data in files.items():
            assert (
                Path(f"{tmp_path}{path}").read_bytes() == data == await other.get(path, wait=False)
            )


async def test_nobody_has_it() -> None:
    async with await Store.open(None) as alone, Drive(alone, bytes(32)) as drive:
        with pytest.raises(BlockNotAvailable):
            await drive.get("/a", timeout=0.01)
        with pytest.raises(BlockNotAvailable):
            await drive.get("/a", wait=False)
        assert drive.version == 1


async def test_contents_that_nobody_has_any_more(pair: tuple[Store, Store]) -> None:
    here, there = pair
    async with Drive(here) as own, Drive(there, own.key) as other:
        await own.put("/a", os.urandom(3 * BLOCK))
        await reach(other, own)
        assert await other.exists("/a")
        await own.clear("/a")
        with pytest.raises(BlockNotAvailable):
            await other.get("/a", timeout=0.05)
        with pytest.raises(BlockNotAvailable):
            await other.get("/a", wait=False)
        with pytest.raises(NotFoundError):
            await other.get("/b")


async def test_reading_while_it_is_written(pair: tuple[Store, Store]) -> None:
    here, there = pair
    async with Drive(here) as own, Drive(there, own.key) as other:
        changes = other.watch()
        seen: list[str] = []

        async def follow() -> None:
            async for change in changes:
                assert change.now is not None
                content = await other.get(change.now)
                assert content == change.path.encode() * 1000
                seen.append(change.path)
                if len(seen) == 30:
                    return

        async def write() -> None:
            for i in range(30):
                await own.put(f"/file{i}", f"/file{i}".encode() * 1000)
                await asyncio.sleep(0)

        async def ask() -> None:
            while len(seen) < 30:
                await other.update(wait=True)

        async with asyncio.timeout(10):
            asking = asyncio.create_task(ask())
            await asyncio.gather(follow(), write())
            asking.cancel()
        assert sorted(seen) == sorted(f"/file{i}" for i in range(30))


async def test_a_compat_drive_elsewhere(pair: tuple[Store, Store]) -> None:
    here, there = pair
    async with Drive(here, compat=True) as own, Drive(there, own.key) as other:
        await own.put("/a", b"1")
        await reach(other, own)
        assert await other.get("/a") == b"1"


async def test_resume_fetches_nothing_twice(pair: tuple[Store, Store], tmp_path: Path) -> None:
    here, there = pair
    data = os.urandom(100 * BLOCK)
    async with Drive(here) as own, Drive(there, own.key) as other:
        await own.put("/big", data)
        await reach(other, own)

        def stop(progress: Any) -> None:
            if progress.bytes > 20 * BLOCK:
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await other.mirror_to(tmp_path, progress=stop)
        assert os.listdir(tmp_path) == []
        kept = await held(other)
        assert kept >= 20
        await own.clear("/big")  # from here on, only what is kept can be had
        blobs = (await own.blobs()).core
        missing = [i for i in range(100) if not (await other.blobs()).core.has(i)]
        for i in missing:
            assert not blobs.has(i)
        with pytest.raises(BlockNotAvailable):
            await other.mirror_to(tmp_path, timeout=0.05)
        assert await held(other) == kept and os.listdir(tmp_path) == []


async def test_a_damaged_block_is_fetched_again(tmp_path: Path) -> None:
    data = os.urandom(3 * BLOCK)
    async with await Store.open(None) as here, Drive(here) as own:
        await own.put("/a", data)
        async with await Store.open(tmp_path) as there, Drive(there, own.key) as other:
            joined(here, there)
            await reach(other, own)
            await other.download()
            await there.sync()
            contents = (await other.blobs()).core.discovery_key.hex()
        [file] = tmp_path.rglob(f"{contents}*data")
        with file.open("r+b") as raw:
            raw.seek(BLOCK + 5)
            raw.write(bytes([data[BLOCK + 5] ^ 1]))
        async with await Store.open(tmp_path) as there, Drive(there, own.key) as other:
            with pytest.raises(DamagedError):
                await other.get("/a", timeout=0.05)
            joined(here, there)
            log: Any = (await other.blobs()).core
            async with asyncio.timeout(5):
                while not log.has(1) or log.damaged:
                    try:
                        assert await other.get("/a") == data
                    except DamagedError:  # nobody connected has it yet
                        await log.next_change()
            assert await other.get("/a", wait=False) == data
