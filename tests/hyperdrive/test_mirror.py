"""Folders into drives and drives into folders."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import DiskFullError, HoldfastError, LocalError, NotFoundError, PathError
from holdfast.hyperdrive import Drive, Progress
from holdfast.hyperdrive.mirror import mtime_metadata, mtime_of, plain_error
from holdfast.hyperdrive.mirror_from import mirror_from
from holdfast.store import Store

MIB = 1 << 20


def old(path: Path, seconds: int = 1_700_000_000) -> Path:
    """Give a file a time long past, so that its time is believed."""
    os.utime(path, ns=(0, seconds * 1_000_000_000 + 123_456_000), follow_symlinks=False)
    return path


def fill(top: Path) -> None:
    draw = random.Random(5)
    for i in range(30):
        path = top / f"d{i % 3}" / f"e{i % 2}" / f"naïve ({i}).bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(draw.choice([0, 1, 5000, 65536, 65537, 300_000])))
        old(path)
    (top / "run").write_bytes(b"#!/bin/sh\n")
    (top / "run").chmod(0o755)
    old(top / "run")
    (top / "big").write_bytes(draw.randbytes(3 * MIB + 5))
    old(top / "big")
    (top / "link").symlink_to("d0")


def seen(top: Path) -> dict[str, Any]:
    """Everything under a folder: bytes, whether it runs, its time, or where a link leads."""
    found: dict[str, Any] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = (path.read_bytes(), os.access(path, os.X_OK), path.stat().st_mtime_ns)
    return found


async def test_there_and_back(drive: Drive, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    fill(there)
    stored = await drive.mirror_from(there)
    assert (stored.files, stored.added, stored.refused) == (33, 33, [])
    written = await drive.mirror_to(here)
    assert (written.files, written.added, written.unchanged, written.refused) == (33, 33, 0, [])
    assert seen(here) == seen(there)

    version, contents = drive.version, (await drive.blobs()).core.length
    stored = await drive.mirror_from(there)
    assert (stored.unchanged, stored.added, stored.changed, stored.bytes) == (33, 0, 0, 0)
    assert (drive.version, (await drive.blobs()).core.length) == (version, contents)
    before = {path: path.stat().st_ino for path in here.rglob("*")}
    written = await drive.mirror_to(here)
    assert (written.unchanged, written.bytes) == (33, 0)
    assert {path: path.stat().st_ino for path in here.rglob("*")} == before

    (there / "run").unlink()
    (there / "d1" / "new").write_bytes(b"late")
    old(there / "big").write_bytes(b"small now")
    (there / "link").unlink()
    (there / "link").symlink_to("d1")
    stored = await drive.mirror_from(there)
    assert (stored.added, stored.changed, stored.removed, stored.unchanged) == (1, 2, 1, 30)
    (here / "mine").write_bytes(b"not of the drive")
    written = await drive.mirror_to(here)
    assert (written.added, written.changed, written.removed) == (1, 2, 0)
    assert set(seen(here)) - set(seen(there)) == {"mine", "run"}
    written = await drive.mirror_to(here, prune=True)
    assert written.removed == 2 and set(seen(here)) == set(seen(there))


async def test_without_a_recorded_time_bytes_are_compared(store: Store, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "small").write_bytes(b"1" * 1000)
    (top / "big").write_bytes(b"2" * 3 * MIB)
    drive = Drive(store)
    await drive.mirror_from(top)  # too fresh for its time to be believed
    version = drive.version
    assert [entry.metadata async for entry in drive.list()] == [None, None]
    for path in top.iterdir():
        old(path)
    assert (await drive.mirror_from(top)).unchanged == 2 and drive.version == version
    out = tmp_path / "out"
    await drive.mirror_to(out)
    assert (await drive.mirror_to(out)).unchanged == 2
    (out / "small").write_bytes(b"3" * 1000)
    (out / "big").write_bytes(b"2" * 3 * MIB + b"")
    assert (await drive.mirror_to(out, resume=False)).changed == 2
    (out / "small").write_bytes(b"3" * 1000)
    (out / "big").write_bytes(b"2" * (3 * MIB - 1) + b"3")
    os.chmod(out / "big", 0o755)
    assert (await drive.mirror_to(out)).changed == 2
    assert seen(out)["small"][0] == b"1" * 1000
    with (top / "big").open("r+b") as file:
        file.seek(MIB)
        file.write(b"3")
    assert (await drive.mirror_from(top)).changed == 1
    await drive.clear("/big")
    assert (await drive.mirror_from(top)).changed == 1  # not here to compare with
    await drive.close()


async def test_only_the_right_to_run_changed(drive: Drive, tmp_path: Path) -> None:
    top, out = tmp_path / "top", tmp_path / "out"
    top.mkdir()
    old(top / "a") if (top / "a").write_bytes(b"1") else None
    await drive.mirror_from(top)
    await drive.mirror_to(out)
    (top / "a").chmod(0o755)
    assert (await drive.mirror_from(top)).changed == 1
    inode = (out / "a").stat().st_ino
    await drive.mirror_to(out)
    assert os.access(out / "a", os.X_OK) and (out / "a").stat().st_ino == inode
    (top / "a").chmod(0o644)
    await drive.mirror_from(top)
    await drive.mirror_to(out)
    assert not os.access(out / "a", os.X_OK)


async def test_a_part_of_a_drive_and_a_part_of_a_folder(drive: Drive, tmp_path: Path) -> None:
    top, out = tmp_path / "top", tmp_path / "out"
    top.mkdir()
    fill(top)
    await drive.put("/elsewhere", b"stays")
    await drive.put("/in/gone", b"goes")
    await drive.put("/in/kept/x", b"stays too")
    stored = await drive.mirror_from(top, "/in", ignore=["d0", "/kept"])
    assert stored.removed == 1 and await drive.exists("/elsewhere")
    assert await drive.exists("/in/kept/x") and await drive.exists("/in/d1/e1/naïve (1).bin")
    assert not await drive.exists("/in/d0/e0/naïve (0).bin")
    await drive.mirror_to(out, "/in/d1", ignore=lambda path: path.endswith("(1).bin"))
    assert seen(out) == {
        name.removeprefix("d1/"): value
        for name, value in seen(top).items()
        if name.startswith("d1/") and not name.endswith("(1).bin")
    }
    single = tmp_path / "single"
    assert (await drive.mirror_to(single, "/in/run")).added == 1
    assert list(seen(single)) == ["run"]
    (single / "other").write_bytes(b"")
    assert (await drive.mirror_to(single, "/in/run", prune=True)).removed == 0
    stored = await drive.mirror_from(top, "/in", prune=False, ignore=["d1"])
    assert stored.removed == 0


async def test_what_is_not_there(drive: Drive, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await drive.mirror_from(tmp_path / "nothing")
    with pytest.raises(NotFoundError):
        await drive.mirror_to(tmp_path / "out", "/nothing")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HoldfastError):
        await drive.mirror_to(tmp_path / "file")
    assert (await drive.mirror_to(tmp_path / "empty")).files == 0


async def test_progress_is_true(drive: Drive, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    fill(top)
    size = sum(
        path.lstat().st_size for path in top.rglob("*") if path.is_file() and not path.is_symlink()
    )
    for run in (
        lambda report: drive.mirror_from(top, progress=report),
        lambda report: drive.mirror_to(tmp_path / "out", progress=report),
        lambda report: drive.mirror_to(tmp_path / "out", progress=report),
        lambda report: drive.mirror_from(top, progress=report),
    ):
        reports: list[Progress] = []
        await run(reports.append)
        assert reports[-1][:4] == (33, size, 33, size)
        assert all(
            a.bytes <= b.bytes and a.files <= b.files
            for a, b in zip(reports, reports[1:], strict=False)
        )


async def test_holes_stay_holes(tmp_path: Path) -> None:
    top, out = tmp_path / "top", tmp_path / "out"
    top.mkdir()
    with (top / "sparse").open("wb") as file:
        file.seek(20 * MIB)
        file.write(b"x" * 100_000)
        file.truncate(64 * MIB)
    with (top / "zeros").open("wb") as file:
        file.truncate(70_000)
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.mirror_from(top)
        await drive.mirror_to(out)
    assert seen(out)["sparse"][0] == seen(top)["sparse"][0]
    assert (out / "sparse").stat().st_blocks * 512 < MIB
    assert (out / "zeros").read_bytes() == bytes(70_000)


async def test_files_that_cannot_be_stored_are_told_and_the_others_go_on(
    drive: Drive, tmp_path: Path
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "fine").write_bytes(b"1")
    (top / "new\nline").write_bytes(b"1")
    (top / "back\\slash").write_bytes(b"1")
    (Path(os.fsdecode(os.fsencode(top) + b"/\xff"))).write_bytes(b"1")
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(top / "socket"))
    stored = await drive.mirror_from(top)
    assert [entry.path async for entry in drive.list()] == ["/fine"]
    assert len(stored.refused) == 5
    assert all(isinstance(error, PathError) for _, error in stored.refused)


async def test_a_file_that_changes_while_it_is_read(store: Store, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    big = top / "big"
    big.write_bytes(bytes(3 * MIB))
    old(big)
    async with Drive(store) as drive:

        def touch(progress: Progress) -> None:
            if progress.bytes:
                old(big, 1_600_000_000)

        await drive.mirror_from(top, progress=touch)
        entry = await drive.entry("/big")
        assert entry is not None and entry.metadata is None  # its time is not to be believed


async def test_times() -> None:
    assert mtime_of(mtime_metadata(1_700_000_000_123_456_789)) == 1_700_000_000_123_456_000
    assert mtime_metadata(5_000_000_000) == {"mtime": 5000}
    for odd in (None, {}, {"mtime": "x"}, {"mtime": -1}, {"mtime": 1e300}, {"mtime": None}, [], 7):
        assert mtime_of(odd) is None


async def test_an_interrupted_mirror_goes_on_where_it_was(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    for i in range(1500):
        (top / f"{i:04}").write_bytes(b"%d" % i)
        old(top / f"{i:04}")
    async with await Store.open(None) as store, Drive(store) as drive:

        def stop(progress: Progress) -> None:
            if progress.files == 1200:
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await drive.mirror_from(top, progress=stop)
        kept = len([entry async for entry in drive.list()])
        assert kept == 1024
        stored = await drive.mirror_from(top)
        assert (stored.unchanged, stored.added) == (kept, 1500 - kept)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The operating system refuses to let files grow beyond, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/small", b"1" * 1000)
        await drive.put("/big", os.urandom(8 * MIB))
        with file_size_limit(3 * MIB), pytest.raises(DiskFullError):
            await drive.mirror_to(out)
        assert set(os.listdir(out)) <= {"small"}
        assert (await drive.mirror_to(out)).refused == []
        assert sorted(os.listdir(out)) == ["big", "small"]


async def test_what_an_interrupted_run_left_is_cleaned(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with Drive(store) as drive:
        await drive.put("/a", os.urandom(2 * MIB))

        def stop(progress: Progress) -> None:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await drive.mirror_to(out, progress=stop)
        assert os.listdir(out) == []
        # As after kill -9: a partial file stays, and a symbolic link in its place does no harm.
        from holdfast.hyperdrive.target import _partial_name

        stale = out / _partial_name("a")
        for make in (
            lambda: stale.write_bytes(b"half"),
            lambda: stale.symlink_to(tmp_path / "canary"),
        ):
            make()
            await drive.mirror_to(out, resume=False)
            assert os.listdir(out) == ["a"] and not (tmp_path / "canary").exists()


async def test_two_runs_into_one_folder(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with Drive(store) as drive:
        for i in range(20):
            await drive.put(f"/{i}", os.urandom(100_000))
        both = await asyncio.gather(drive.mirror_to(out), drive.mirror_to(out))
        assert all(isinstance(error, PathError) for done in both for _, error in done.refused)
        again = await drive.mirror_to(out)
        assert len(os.listdir(out)) == 20 and again.refused == []


def test_errors_of_the_system_in_our_words() -> None:
    assert isinstance(plain_error("a", OSError(errno.ENOSPC, "")), DiskFullError)
    assert isinstance(plain_error("a", OSError(errno.ELOOP, "")), PathError)
    assert isinstance(plain_error("a", OSError(errno.EIO, "bad")), LocalError)


async def test_the_clock_decides_which_times_are_believed(store: Store, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "a").write_bytes(b"1")
    for nanoseconds, fresh in ((5_000_000_001, 50_000_000), (5_000_000_000, 2_000_000_000)):
        os.utime(top / "a", ns=(0, nanoseconds))
        for age, believed in ((fresh - 1, False), (fresh + 1, True)):
            async with Drive(store, name=f"{nanoseconds} {age}") as drive:
                await mirror_from(drive, top, clock=lambda now=nanoseconds + age: now)  # type: ignore[misc]
                entry = await drive.entry("/a")
                assert entry is not None and (entry.metadata is not None) == believed
