"""A full disk: a clear error, nothing lost, and it goes on when there is room again."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import DiskFullError, StoreError
from holdfast.hypercore.backend import Change
from holdfast.storage import DirectoryStorage, checkpoint, open_storage
from tests.faults.disks import SmallDisk
from tests.storage.logs import KEY, Writer, check_log

pytestmark = pytest.mark.faults


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    made = SmallDisk(tmp_path, "4m")
    yield made.mounted
    made.unmount()


def open_on(disk: Path) -> DirectoryStorage:
    return open_storage(disk / "store", state=disk.parent / "state")


def fill_up(writer: Writer, blocks: list[bytes], size: int, count: int) -> None:
    """Append until the disk is full; keeps what was appended in ``blocks``."""
    while True:
        more = [bytes([len(blocks) % 251]) * size] * count
        change = writer.change(more)
        try:
            writer.backend.write(change, durable=True)
        except DiskFullError:
            return
        writer.took()
        blocks += more


@pytest.mark.parametrize("size", [10, 100, 3000, 50000])
@pytest.mark.parametrize("small_checkpoints", [False, True])
async def test_full_then_freed(
    disk: Path, size: int, small_checkpoints: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small_checkpoints:
        monkeypatch.setattr(checkpoint, "MAX_JOURNAL", 100_000)
        monkeypatch.setattr(checkpoint, "MAX_PENDING", 500)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    storage = open_on(disk)
    backend = storage.core(KEY)
    writer, blocks = Writer(backend), [b"first"]
    writer.append(b"first")
    fill_up(writer, blocks, size, 7)
    with pytest.raises(DiskFullError):
        Writer(storage.core(bytes(32))).append(bytes(3_000_000))
    check_log(backend, blocks)
    await storage.sync()
    fill_up(writer, blocks, size, 1)
    check_log(backend, blocks)

    # Opening and reading work while the disk is full, whether it was closed or killed.
    await storage.close()
    storage = open_on(disk)
    backend = storage.core(KEY)
    check_log(backend, blocks)
    writer = Writer(backend)
    fill_up(writer, blocks, size, 1)
    check_log(backend, blocks)

    ballast.unlink()
    writer.append(*[b"more"] * 50)
    blocks += [b"more"] * 50
    fill_up(writer, blocks, size, 7)
    check_log(backend, blocks)
    await storage.sync()
    await storage.close()
    storage = open_on(disk)
    check_log(storage.core(KEY), blocks)
    await storage.close()


async def test_clearing_makes_room_on_a_full_disk(disk: Path) -> None:
    storage = open_on(disk)
    writer, blocks = Writer(storage.core(KEY)), [b"first"]
    writer.append(b"first")
    fill_up(writer, blocks, 50000, 1)
    await storage.close()
    (disk / "rest").write_bytes(b"")
    with pytest.raises(OSError), (disk / "rest").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    storage = open_on(disk)
    backend = storage.core(KEY)
    first, last = backend.leaf(1), backend.leaf(40)
    assert first is not None and last is not None
    backend.write(Change(absent=[(1, 40)]), durable=True)
    freed = backend.punch(first.offset, last.offset + last.size - first.offset)
    assert freed > 1_900_000
    writer = Writer(backend)
    writer.append(*[b"again" * 1000] * 20)
    await storage.sync()
    await storage.close()
    storage = open_on(disk)
    assert storage.core(KEY).present_ranges() == [(0, 1), (41, len(blocks) - 41 + 20)]
    await storage.close()


async def test_no_room_to_make_a_store(disk: Path) -> None:
    ballast = disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    for room in range(0, 400_000, 37_000):
        os.truncate(ballast, 4 * 1024 * 1024 - room - 4096)
        try:
            storage = open_on(disk)
        except DiskFullError:
            continue
        await storage.close()
        break
    else:
        pytest.fail("400 kB are enough")
    storage = open_on(disk)
    Writer(storage.core(KEY)).append(b"a")
    await storage.close()


async def test_no_inodes_left(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path, "4m", ",nr_inodes=40")
    try:
        storage = open_on(disk.mounted)
        made = 0
        with pytest.raises(DiskFullError):
            for number in range(100):
                Writer(storage.core(bytes([number]) * 32)).append(b"a")
                made += 1
        assert made > 3
        for number in range(made):
            check_log(storage.core(bytes([number]) * 32), [b"a"])
        await storage.close()
        storage = open_on(disk.mounted)
        for number in range(made):
            check_log(storage.core(bytes([number]) * 32), [b"a"])
        await storage.close()
    finally:
        disk.unmount()


async def test_too_many_open_files(tmp_path: Path) -> None:
    storage = open_on(tmp_path)
    writers = [Writer(storage.core(bytes([number]) * 32)) for number in range(60)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, limits[1]))
    try:
        for writer in writers:
            writer.append(b"a", b"b")
        await storage.sync()
        for writer in writers:
            check_log(writer.backend, [b"a", b"b"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    await storage.close()


async def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    storage = open_on(tmp_path)
    writer = Writer(storage.core(KEY))
    writer.append(b"a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(DiskFullError):
            writer.append(bytes(2_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    writer.append(bytes(2_000_000))
    check_log(storage.core(KEY), [b"a", bytes(2_000_000)])
    await storage.close()


async def test_a_failed_sync_stops_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error of fsync nothing written since is sure, even if the next fsync succeeds."""
    storage = open_on(tmp_path)
    writer = Writer(storage.core(KEY))
    writer.append(b"a")
    await storage.sync()
    ticket = writer.append(b"b")
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.storage.disk._data_sync", _fail)
        with pytest.raises(StoreError):
            await storage.sync(ticket)
    with pytest.raises(StoreError):
        writer.append(b"c")
    with pytest.raises(StoreError):
        await storage.sync(ticket)
    await storage.close()
    storage = open_on(tmp_path)
    check_log(storage.core(KEY), [b"a", b"b"])
    await storage.close()


def _fail(fd: int) -> None:
    raise OSError(5, "Input/output error")
