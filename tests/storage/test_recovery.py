"""Crashes at chosen moments: a crash is a copy of the files at that moment, opened again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import DamagedError
from holdfast.hypercore.backend import BlockWrite, Change
from holdfast.storage import DirectoryStorage, checkpoint
from holdfast.storage.journal import RECORD_HEADER, START
from tests.storage.logs import KEY, Writer, check_log

Open = Callable[..., DirectoryStorage]
OTHER = bytes(32)


class Crash:
    """Takes copies of a store while it is in use."""

    def __init__(self, tmp_path: Path) -> None:
        self._tmp_path = tmp_path
        self.taken = 0

    def take(self, name: str = "store") -> str:
        """Copy the files as they are now; returns the copy's name."""
        self.taken += 1
        copy = f"{name}-{self.taken}"
        shutil.copytree(self._tmp_path / name, self._tmp_path / copy)
        return copy

    def path(self, name: str) -> Path:
        return self._tmp_path / name


@pytest.fixture
def crash(tmp_path: Path) -> Crash:
    return Crash(tmp_path)


async def test_everything_written_survives_the_process(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    writer = Writer(store.core(KEY, own=True))
    blocks = [b"small", b"x" * 100_000, b"y" * 20_000, b""]
    writer.append(*blocks[:2])
    writer.append(*blocks[2:])
    store.core(KEY).write(Change(manifest=b"m"), durable=False)
    store.set_setting("name", b"value")
    store.set_secret("name", b"secret")
    again = open_directory(crash.take())
    check_log(again.core(KEY), blocks)
    assert again.core(KEY).manifest == b"m"
    assert again.get_setting("name") == b"value"
    assert again.get_secret("name") == b"secret"
    assert [info.own for info in again.cores()] == [True]
    Writer(again.core(KEY)).append(b"goes on")
    await again.close()
    again = open_directory("store-1")
    check_log(again.core(KEY), [*blocks, b"goes on"])
    await again.close()


async def test_crashing_again_and_again_while_opening(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    writer = Writer(store.core(KEY))
    blocks = [bytes([n]) * 9000 for n in range(30)]
    writer.append(*blocks)
    writer.truncate(20)
    writer.append(*blocks[20:])
    name = crash.take()
    opened = []
    for _ in range(4):
        opened.append(open_directory(name))
        check_log(opened[-1].core(KEY), blocks, fork=1)
        name = crash.take(name)
    for each in opened:
        await each.close()


async def test_a_crash_before_a_truncation_is_durable(
    open_directory: Open, store: DirectoryStorage, crash: Crash, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record may survive or not, and opening may crash too: no block is missed either way."""
    writer = Writer(store.core(KEY))
    blocks = [bytes([n]) * 50_000 for n in range(8)]
    writer.append(*blocks)
    engine = store._engine
    sync_now = engine.sync_now
    monkeypatch.setattr(engine, "sync_now", lambda: (crash.take(), sync_now()))
    writer.truncate(3)
    once = open_directory("store-1")
    check_log(once.core(KEY), blocks[:3], fork=1)
    twice = open_directory(crash.take("store-1"))
    check_log(twice.core(KEY), blocks[:3], fork=1)
    await once.close()
    await twice.close()

    # The same again, but of the truncation's record only a part reached the disk.
    monkeypatch.undo()
    writer = Writer(store.core(OTHER))
    writer.append(*blocks)
    start = engine.journal.tail
    monkeypatch.setattr(engine, "sync_now", lambda: (crash.take(), sync_now()))
    writer.truncate(3)
    name = f"store-{crash.taken}"
    journal = crash.path(name) / engine.journal.live[-1].path.name
    with journal.open("r+b") as file:
        file.seek(start + RECORD_HEADER)
        file.write(bytes(100))
    torn = open_directory(name)
    check_log(torn.core(OTHER), blocks)
    await torn.close()


async def test_blocks_cut_off_are_not_put_over_those_that_follow(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    """A run of small blocks is cut in its middle, then large ones take its place."""
    writer = Writer(store.core(KEY))
    small = [bytes([n]) * 100 for n in range(40)]
    large = [bytes([n]) * 20_000 for n in range(4)]
    writer.append(*small)
    writer.truncate(18)
    writer.append(*large)
    again = open_directory(crash.take())
    check_log(again.core(KEY), small[:18] + large, fork=1)
    await again.close()


async def test_cleared_blocks_do_not_come_back(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    backend = store.core(KEY)
    Writer(backend).append(*[b"x" * 8192] * 4)
    backend.write(Change(absent=[(0, 4)]), durable=True)
    backend.punch(0, 4 * 8192)
    again = open_directory(crash.take())
    assert again.core(KEY).present_ranges() == []
    assert again.core(KEY).read(0, 4 * 8192) == bytes(4 * 8192)
    await again.close()


async def test_large_blocks_that_did_not_get_to_the_disk_are_not_believed(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    """The journal may reach the disk before the block bytes do."""
    writer = Writer(store.core(KEY))
    first = [b"a" * 40_000, b"b" * 40_000]
    writer.append(*first)
    await store.sync()
    writer.append(b"c" * 40_000, b"d" * 40_000)
    writer.append(b"after")
    name = crash.take()
    data = next(crash.path(name).rglob("*.data"))
    with data.open("r+b") as file:
        file.seek(130_000)
        file.write(bytes(4096))
    again = open_directory(name)
    check_log(again.core(KEY), first)
    Writer(again.core(KEY)).append(b"other")
    second = open_directory(crash.take(name))
    check_log(second.core(KEY), [*first, b"other"])
    await again.close()
    await second.close()


async def test_large_blocks_without_their_leaf_travel_in_the_journal(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    backend = store.core(KEY)
    data = b"z" * 50_000
    backend.write(Change(blocks=[BlockWrite(0, 0, [data])], present=[(0, 1)]), durable=False)
    name = crash.take()
    next(crash.path(name).rglob("*.data")).write_bytes(b"")
    again = open_directory(name)
    assert again.core(KEY).read(0, 50_000) == data
    await again.close()


@pytest.mark.parametrize("cut", range(1, 700, 23))
async def test_a_torn_end_is_left_out(
    open_directory: Open, store: DirectoryStorage, crash: Crash, cut: int
) -> None:
    writer = Writer(store.core(KEY))
    blocks = [b"block %d" % n for n in range(6)]
    ends = []
    for block in blocks:
        writer.append(block)
        ends.append(store._engine.journal.tail)
    name = crash.take()
    journal = crash.path(name) / "journal.0"
    keep = ends[-1] - cut
    os.truncate(journal, keep)
    os.truncate(journal, 65536)
    again = open_directory(name)
    check_log(again.core(KEY), blocks[: sum(end <= keep for end in ends)])
    await again.close()


async def test_a_record_that_was_durable_must_be_there(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    writer = Writer(store.core(KEY))
    writer.append(b"a")
    end = store._engine.journal.tail
    writer.append(b"b")
    await store.sync()
    name = crash.take()
    with (crash.path(name) / "journal.0").open("r+b") as file:
        file.seek(end)
        file.write(bytes(100))
    with pytest.raises(DamagedError):
        open_directory(name)


async def test_what_later_records_prove_durable_must_be_there(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    writer = Writer(store.core(KEY))
    writer.append(b"a")
    await store.sync()
    writer.append(b"b")
    name = crash.take()
    (crash.path(name) / "synced").write_bytes(bytes(1024))
    with (crash.path(name) / "journal.0").open("r+b") as file:
        file.seek(START)
        file.write(b"\xff" * 60)
    # Nobody can tell: the mark is gone too. But nothing may be half there.
    again = open_directory(name)
    assert again.cores() == []
    await again.close()


async def test_a_crash_during_a_checkpoint(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    writer = Writer(store.core(KEY))
    blocks = [bytes([n]) * 3000 for n in range(40)]
    writer.append(*blocks[:20])
    checkpoints = store._engine.checkpoints
    capture = checkpoint.capture_changes(store._engine)
    store._engine.journal.switch()
    writer.append(*blocks[20:30])
    names = [crash.take()]
    capture.plan.run()
    for part in capture.parts:
        checkpoint._write_part(part, 1)
    writer.append(*blocks[30:])
    names.append(crash.take())
    store._engine.index.update(capture.update)
    names.append(crash.take())
    checkpoint._finish(store._engine, capture)
    names.append(crash.take())
    checkpoints.begin()
    checkpoints.join()
    names.append(crash.take())
    for name, count in zip(names, (30, 40, 40, 40, 40), strict=True):
        again = open_directory(name)
        check_log(again.core(KEY), blocks[:count])
        Writer(again.core(KEY)).append(b"more")
        second = open_directory(crash.take(name))
        check_log(second.core(KEY), [*blocks[:count], b"more"])
        await second.close()
        await again.close()


async def test_an_epoch_whose_beginning_is_missing_is_dropped_for_good(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    """Not even when new records grow to just where it would fit again."""
    writer = Writer(store.core(KEY))
    writer.append(b"a")
    before = store._engine.journal.tail
    writer.append(b"b")
    store._engine.journal.switch()
    writer.append(b"c")
    name = crash.take()
    with (crash.path(name) / "journal.0").open("r+b") as file:
        file.seek(before)
        file.write(bytes(300))
    again = open_directory(name)
    check_log(again.core(KEY), [b"a"])
    Writer(again.core(KEY)).append(b"B")
    second = open_directory(crash.take(name))
    check_log(second.core(KEY), [b"a", b"B"])
    await again.close()
    await second.close()


async def test_leftovers_of_a_log_that_never_was(
    open_directory: Open, store: DirectoryStorage, crash: Crash
) -> None:
    Writer(store.core(KEY)).append(b"a" * 5000)
    Writer(store.core(OTHER)).append(b"x")
    name = crash.take()
    with (crash.path(name) / "journal.0").open("r+b") as file:
        file.seek(START)
        file.write(bytes(20000))
    again = open_directory(name)
    assert again.cores() == []
    assert again.core(KEY).head is None
    assert again.core(KEY).leaf(0) is None
    assert again.core(KEY).read(0, 10) == b""
    Writer(again.core(KEY)).append(b"b")
    check_log(again.core(KEY), [b"b"])
    await again.close()
