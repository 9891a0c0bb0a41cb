"""High-water marks, the lease, secrets, identity, and syncing for many at once."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.crypto import discovery_key
from holdfast.errors import DamagedError, StoreBusyError, StoreError
from holdfast.hypercore.backend import Change
from holdfast.storage import DirectoryStorage, disk, identity, layout, lease, secrets, space
from holdfast.storage.highwater import HighWater, state_directory
from holdfast.storage.twice import write_twice
from tests.storage.logs import KEY, Writer, check_log

Open = Callable[..., DirectoryStorage]
OTHER = bytes(32)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# -- high-water marks ------------------------------------------------------------------------------


def test_marks_are_written_once_a_second_at_most(tmp_path: Path) -> None:
    clock = Clock()
    marks = HighWater(tmp_path / "deep" / "marks", clock)
    assert marks.rise(KEY, 0, 5) == 1.0
    clock.now += 0.75
    assert marks.rise(KEY, 0, 6) == 0.25
    assert marks.rise(KEY, 0, 6) is None
    clock.now += 5
    assert marks.rise(KEY, 1, 1) == 0.0
    assert not (tmp_path / "deep").exists()
    marks.flush()
    assert HighWater(tmp_path / "deep" / "marks", clock).get(KEY) == (1, 1)
    before = (tmp_path / "deep" / "marks").stat().st_ino
    marks.flush()
    assert (tmp_path / "deep" / "marks").stat().st_ino == before


def test_trouble_with_marks_never_stops_anything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    marks = HighWater(tmp_path / "file" / "marks", Clock())
    assert marks.trouble is not None
    assert marks.rise(KEY, 0, 5) is not None
    marks.flush()
    assert marks.get(KEY) == (0, 5)


def test_damaged_marks_are_no_marks(tmp_path: Path) -> None:
    (tmp_path / "marks").write_bytes(b"garbage")
    assert HighWater(tmp_path / "marks", Clock()).get(KEY) is None


def test_where_marks_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "named"))
    assert state_directory() == tmp_path / "named"
    monkeypatch.delenv("HOLDFAST_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_directory().is_relative_to(tmp_path / "xdg") or os.name != "posix"


async def test_marks_are_written_while_the_store_is_open(
    open_directory: Open, tmp_path: Path
) -> None:
    clock = Clock()
    storage = open_directory(clock=clock)
    clock.now += 2
    storage.set_highwater(KEY, 0, 7)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (path,) = (tmp_path / "state").iterdir()
    assert HighWater(path, clock).get(KEY) == (0, 7)
    await storage.close()


# -- lease, secrets, identity ----------------------------------------------------------------------


def test_a_lease_tells_who_holds_it(tmp_path: Path) -> None:
    held = lease.Lease(tmp_path / "lease", note="since noon")
    with pytest.raises(StoreBusyError, match=f"process {os.getpid()}, since noon"):
        lease.Lease(tmp_path / "lease")
    (tmp_path / "lease").write_text("?")
    with pytest.raises(StoreBusyError, match="another process"):
        lease.Lease(tmp_path / "lease")
    held.release()
    lease.Lease(tmp_path / "lease").release()


@pytest.mark.parametrize("content", [b"", b"\0short", b"\2" + bytes(32), b"\1short"])
def test_a_primary_key_that_makes_no_sense_is_damage(tmp_path: Path, content: bytes) -> None:
    write_twice(tmp_path / "secrets", b"HFSECR1\n", content)
    with pytest.raises(DamagedError):
        secrets.read_primary_key(tmp_path / "secrets", "passphrase")


def test_a_secret_value_of_another_store_does_not_open(tmp_path: Path) -> None:
    key = secrets.values_key(b"a" * 32)
    sealed = secrets.seal_value(key, b"value")
    assert secrets.open_value(key, sealed) == b"value"
    with pytest.raises(DamagedError):
        secrets.open_value(secrets.values_key(b"b" * 32), sealed)
    with pytest.raises(DamagedError):
        secrets.open_value(key, b"short")


def test_a_fingerprint_says_where_files_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    machine = tmp_path / "machine-id"
    without = identity.fingerprint(tmp_path, ("a",), machine)
    machine.write_text("one")
    first = identity.fingerprint(tmp_path, ("a",), machine)
    machine.write_text("other")
    assert len({without, first, identity.fingerprint(tmp_path, ("a",), machine)}) == 3
    assert not identity.is_at_home(tmp_path, first)
    identity.write_identity(tmp_path, first)
    assert identity.is_at_home(tmp_path, first)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    os.replace(tmp_path / "b", tmp_path / "a")
    machine.write_text("one")
    assert identity.fingerprint(tmp_path, ("a",), machine) != first


def test_a_format_that_makes_no_sense(tmp_path: Path) -> None:
    assert layout.read_store_id(tmp_path) is None
    (tmp_path / "format").write_bytes(b"garbage")
    with pytest.raises(DamagedError):
        layout.read_store_id(tmp_path)
    write_twice(tmp_path / "format", b"HOLDFAST", bytes(30))
    with pytest.raises(StoreError):
        layout.read_store_id(tmp_path)


# -- the operating system --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [(28, "full"), (122, "full"), (24, "files open"), (30, "cannot be written"), (5, "reported")],
)
def test_errors_in_words(number: int, words: str) -> None:
    assert words in disk.explain(OSError(number, os.strerror(number))).message


def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, realv = os.pwrite, os.pwritev
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, bytes(data)[:7], at))
    monkeypatch.setattr(os, "pwritev", lambda fd, parts, at: realv(fd, parts[:1], at))
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    disk.write_all(fd, b"x" * 100, 0)
    disk.write_parts(fd, [b"a" * 10, b"b" * 10, b"c" * 10], 100)
    os.close(fd)
    assert path.read_bytes() == b"x" * 100 + b"a" * 10 + b"b" * 10 + b"c" * 10


def test_many_files_are_synced_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(2 * disk.SYNC_ALL_AT)]
    for path in paths:
        path.write_text("content")
    disk.sync_paths(paths, tmp_path)
    disk.sync_paths(paths[:2], tmp_path)


def test_space_that_is_not_there(tmp_path: Path) -> None:
    assert space.allocated(tmp_path / "missing") == 0
    path = tmp_path / "file"
    path.write_bytes(bytes(10_000))
    fd = os.open(path, os.O_RDWR)
    assert space.punch(fd, 10, 100) == 0
    assert space.punch(fd, 5000, 5000) == 4096
    os.close(fd)


# -- syncing ---------------------------------------------------------------------------------------


async def test_one_sync_serves_everybody_who_waits(
    store: DirectoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = store._engine
    plans = []
    begin = engine.begin_sync
    monkeypatch.setattr(store._group, "_begin", lambda: plans.append(begin()) or plans[-1])
    writers = [Writer(store.core(bytes([number]) * 32)) for number in range(64)]

    async def append(writer: Writer) -> None:
        ticket = writer.append(b"a")
        await store.sync(ticket)
        assert store.synced >= ticket

    await asyncio.gather(*map(append, writers))
    assert len(plans) <= 2


async def test_a_waiter_that_gives_up_does_not_take_others_along(store: DirectoryStorage) -> None:
    writer = Writer(store.core(KEY))
    first = asyncio.create_task(store.sync(writer.append(b"a")))
    second = asyncio.create_task(store.sync(writer.append(b"b")))
    await asyncio.sleep(0)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_with_durability_of_the_process_nobody_waits(open_directory: Open) -> None:
    storage = open_directory(durability="process")
    ticket = Writer(storage.core(KEY)).append(b"a")
    assert storage.synced >= ticket
    await storage.sync(ticket)
    assert storage._engine.journal.synced < ticket
    await storage.close()
    storage = open_directory()
    check_log(storage.core(KEY), [b"a"])
    await storage.close()


async def test_a_sync_includes_what_a_running_one_has_not_finished(
    store: DirectoryStorage,
) -> None:
    writer = Writer(store.core(KEY))
    writer.append(b"x" * 50_000)
    engine = store._engine
    running = engine.begin_sync()
    writer.append(b"small")
    second = engine.begin_sync()
    assert running.paths <= second.paths
    assert running.descriptors <= second.descriptors
    second.run()
    engine.finish_sync(second)
    assert engine.journal.synced == second.seq
    running.run()
    engine.finish_sync(running)
    assert engine.journal.synced == second.seq


async def test_becoming_the_owner_is_remembered(open_directory: Open) -> None:
    storage = open_directory()
    storage.core(KEY).write(Change(manifest=b"m"), durable=False)
    storage.core(KEY, own=True)
    storage.core(OTHER)
    assert storage.key_of(discovery_key(KEY)) == KEY
    await storage.close()
    storage = open_directory()
    assert [info.own for info in storage.cores()] == [True]
    assert storage.key_of(discovery_key(KEY)) == KEY
    assert storage.key_of(discovery_key(OTHER)) is None
    await storage.close()


async def test_a_forgotten_setting_stays_forgotten(open_directory: Open, tmp_path: Path) -> None:
    storage = open_directory()
    storage.set_setting("name", b"value")
    storage.set_setting("name", None)
    shutil.copytree(tmp_path / "store", tmp_path / "crashed")
    await storage.close()
    storage = open_directory("crashed")
    assert storage.get_setting("name") is None
    storage._engine.checkpoints.run_all()
    assert storage.get_setting("name") is None
    await storage.close()
