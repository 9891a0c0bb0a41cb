"""Drives written by one side and read by the other."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.interop.conftest import Pair
from tests.interop.content import digest, file_chunks, file_range
from tests.interop.sides import Entry, Read
from tests.interop.sizes import size

MIB = 1024 * 1024
SECRET = bytes(range(32))
SMALL = 4096

either = pytest.mark.parametrize("secret", [None, SECRET], ids=["plain", "encrypted"])


def whole(seed: str, length: int) -> Read:
    return Read(length, digest(file_chunks(seed, length)))


def small_paths(count: int) -> list[str]:
    return [f"/small/{i:05d}" for i in range(count)]


@either
async def test_entries_and_contents(pair: Pair, secret: bytes | None) -> None:
    drive = await pair.source.drive(name="drive", encryption_key=secret)
    await drive.put("/notes/a.txt", b"kia ora", metadata={"by": "Hine", "n": 1})
    await drive.put("/notes/run.sh", b"#!/bin/sh\n", executable=True)
    await drive.put("/notes/empty", b"")
    await drive.symlink("/link", "/notes/a.txt")
    await drive.put("/gone", b"soon")
    await drive.delete("/gone")
    remote = await pair.reader.drive(key=drive.key, encryption_key=secret)
    await pair.connect()
    await remote.reach(await drive.version())

    a_txt = Entry("/notes/a.txt", False, None, 7, {"by": "Hine", "n": 1})
    assert await remote.entry("/notes/a.txt") == a_txt
    assert await remote.entry("/notes/run.sh") == Entry("/notes/run.sh", True, None, 10, None)
    assert await remote.entry("/link") == Entry("/link", False, "/notes/a.txt", None, None)
    assert await remote.entry("/gone") is None
    assert await remote.get("/notes/a.txt") == b"kia ora"
    assert await remote.get("/notes/empty") == b""
    assert await remote.paths() == ["/link", "/notes/a.txt", "/notes/empty", "/notes/run.sh"]
    assert await remote.paths("/notes") == ["/notes/a.txt", "/notes/empty", "/notes/run.sh"]


@either
async def test_many_small_files(one_pair: Pair, secret: bytes | None) -> None:
    count = size(300, 2_000)
    drive = await one_pair.source.drive(name="drive", encryption_key=secret)
    await drive.fill("/small", "small", count, SMALL)
    remote = await one_pair.reader.drive(key=drive.key, encryption_key=secret)
    await one_pair.connect()
    await remote.reach(await drive.version())
    assert await remote.paths() == small_paths(count)
    some = random.Random(1).sample(range(count), 50)
    found = await remote.read_many([f"/small/{i:05d}" for i in some])
    assert found == [whole(f"small/{i}", SMALL) for i in some]
    await remote.download()
    await one_pair.source.hangup()
    everything = await remote.read_many(small_paths(count))
    assert everything == [whole(f"small/{i}", SMALL) for i in range(count)]


@either
async def test_one_big_file(one_pair: Pair, secret: bytes | None) -> None:
    length = size(16, 256) * MIB + 12345
    drive = await one_pair.source.drive(name="drive", encryption_key=secret)
    await drive.put_pattern("/big.bin", "big", length)
    remote = await one_pair.reader.drive(key=drive.key, encryption_key=secret)
    await one_pair.connect()
    await remote.reach(await drive.version())
    draw = random.Random(2)
    for _ in range(20):
        start = draw.randrange(length)
        wanted = draw.randrange(1, 200_000)
        part = file_range("big", length, start, wanted)
        assert await remote.read("/big.bin", start, wanted) == Read(len(part), digest([part]))
    assert not await remote.has("/big.bin")
    assert await remote.read("/big.bin") == whole("big", length)
    assert await remote.has("/big.bin")


async def test_reading_a_drive_that_is_still_written(pair: Pair) -> None:
    drive = await pair.source.drive(name="drive")
    await drive.put("/first", b"already here")
    remote = await pair.reader.drive(key=drive.key)
    await pair.connect()
    count = size(40, 300)
    written: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    async def write() -> None:
        for number in range(count):
            await drive.put_pattern(f"/file/{number}", f"file {number}", 1000 * number)
            await written.put((number, await drive.version()))

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        for _ in range(count):
            number, version = await written.get()
            await remote.reach(version)
            expected = whole(f"file {number}", 1000 * number)
            assert await remote.read(f"/file/{number}") == expected
    assert len(await remote.paths("/file")) == count


async def test_versions_and_differences(pair: Pair) -> None:
    drive = await pair.source.drive(name="drive")
    await drive.put("/kept", b"same")
    await drive.put("/changed", b"before")
    await drive.put("/removed", b"was here")
    early = await drive.version()
    await drive.put("/changed", b"after")
    await drive.delete("/removed")
    await drive.put("/added", b"new")
    remote = await pair.reader.drive(key=drive.key)
    await pair.connect()
    await remote.reach(await drive.version())
    assert await remote.diff(early) == ["/added", "/changed", "/removed"]
    old = await remote.checkout(early)
    assert await old.paths() == ["/changed", "/kept", "/removed"]
    assert await old.get("/changed") == b"before"
    assert await old.get("/removed") == b"was here"
    assert await remote.get("/changed") == b"after"


def folder(top: Path) -> dict[str, tuple[bytes, bool]]:
    """Every file under `top`: its bytes and whether it may be run."""
    return {
        str(path.relative_to(top)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


async def test_mirror_from_a_folder_and_to_a_folder(pair: Pair, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    draw = random.Random(3)
    for number in range(40):
        path = there / f"d{number % 4}" / f"e{number % 3}" / f"naïve ({number}).bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(draw.choice([0, 1, 5000, 65536, 65537, 300_000])))
    (there / "run").write_bytes(b"#!/bin/sh\n")
    (there / "run").chmod(0o755)
    here.mkdir()

    drive = await pair.source.drive(name="drive")
    await drive.mirror_from(there)
    remote = await pair.reader.drive(key=drive.key)
    await pair.connect()
    await remote.reach(await drive.version())
    await remote.mirror_to(here)
    assert folder(here) == folder(there)

    (there / "run").unlink()
    (there / "d0" / "new").write_bytes(b"late")
    await drive.mirror_from(there)
    await remote.reach(await drive.version())
    await remote.mirror_to(here)
    assert folder(here) == folder(there)
