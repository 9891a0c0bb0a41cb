"""What can be put, in which blocks it ends, and what a broken source leaves behind."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import LocalError
from holdfast.hyperdrive import Drive
from holdfast.hyperdrive.source import BLOCK, CHUNK, PlainFile, blocks_of
from holdfast.store import Store


async def blocks(source: Any) -> list[bytes]:
    return [bytes(block) async for some in blocks_of(source) for block in some]


def cut(data: bytes) -> list[bytes]:
    return [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]


@pytest.mark.parametrize(
    "size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, CHUNK, CHUNK + 1, 3 * CHUNK - 7]
)
async def test_every_kind_of_source_gives_the_same_blocks(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    step = 50_001
    pieces = [data[at : at + step] for at in range(0, size, step)]

    async def later() -> Any:
        for piece in pieces:
            await asyncio.sleep(0)
            yield bytearray(piece)

    assert await blocks(data) == cut(data)
    assert await blocks(bytearray(data)) == await blocks(memoryview(data)) == cut(data)
    assert await blocks(path) == cut(data)
    assert await blocks(io.BytesIO(data)) == cut(data)
    assert await blocks(later()) == await blocks(iter(pieces)) == cut(data)


@given(st.lists(st.integers(0, 3 * BLOCK), max_size=12))
async def test_pieces_of_any_size(sizes: list[int]) -> None:
    data = os.urandom(sum(sizes))
    pieces = []
    at = 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    assert await blocks(pieces) == cut(data)


def layout(path: Path, parts: list[tuple[int, bytes]], size: int) -> bytes:
    with path.open("wb") as file:
        for at, data in parts:
            file.seek(at)
            file.write(data)
        file.truncate(size)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        ([], 3 * CHUNK + 5),
        ([(0, b"a" * 5000)], 4 * CHUNK),
        ([(2 * CHUNK, b"b" * 5000)], 5 * CHUNK),
        ([(3 * CHUNK - 100, b"c" * 200)], 4 * CHUNK + 1),
        ([(0, b"a"), (CHUNK, b"b"), (5 * CHUNK, b"c")], 6 * CHUNK),
    ],
)
async def test_files_with_holes(parts: list[tuple[int, bytes]], size: int, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    data = layout(path, parts, size)
    assert await blocks(path) == cut(data)
    with PlainFile(os.open(path, os.O_RDONLY)) as file:
        assert file.read(10) + file.read() == data


async def test_sources_that_cannot_be(store: Store, tmp_path: Path) -> None:
    async with Drive(store) as drive:
        with pytest.raises(LocalError):
            await drive.put("/a", "text")  # type: ignore[arg-type]
        with pytest.raises(FileNotFoundError):
            await drive.put("/a", tmp_path / "nothing")
        with pytest.raises(TypeError):
            await drive.put("/a", 7)  # type: ignore[arg-type]
        assert [entry async for entry in drive.list()] == []


async def test_a_source_that_breaks_leaves_nothing_visible(drive: Drive) -> None:
    await drive.put("/kept", b"before")
    version = drive.version

    async def breaks() -> Any:
        for _ in range(40):
            yield os.urandom(BLOCK)
        raise OSError("the cable was pulled")

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("bad sector")

    for source in (breaks(), Broken()):
        with pytest.raises(OSError):
            await drive.put("/kept", source)
    assert drive.version == version and await drive.get("/kept") == b"before"
    assert not await drive.exists("/new")
    await drive.put("/new", b"after")
    assert await drive.get("/new") == b"after"


async def test_a_cancelled_put_leaves_nothing_visible(drive: Drive) -> None:
    started = asyncio.Event()

    async def endless() -> Any:
        while True:
            yield os.urandom(BLOCK)
            started.set()
            await asyncio.sleep(0)

    task = asyncio.create_task(drive.put("/a", endless()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await drive.exists("/a")
    await drive.put("/a", b"1")
    assert await drive.get("/a") == b"1"


async def test_progress(drive: Drive) -> None:
    seen: list[int] = []
    await drive.put("/a", io.BytesIO(bytes(3 * CHUNK + 9)), progress=seen.append)
    assert seen == [CHUNK, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 9]


async def test_a_broken_put_gives_its_space_back(tmp_path: Path) -> None:
    async with await Store.open(tmp_path, durability="process") as store, Drive(store) as drive:

        async def breaks() -> Any:
            for _ in range(40):
                yield os.urandom(BLOCK)
            raise OSError("the cable was pulled")

        with pytest.raises(OSError):
            await drive.put("/a", breaks())
        blobs = await drive.blobs()
        assert blobs.core.length >= 32
        assert not any(blobs.core.has(i) for i in range(blobs.core.length))
