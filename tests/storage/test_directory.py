"""What only a directory has: who may open it, what is refused, what is on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import (
    DamagedError,
    PassphraseError,
    StoreBusyError,
    StoreError,
    StoreVersionError,
)
from holdfast.hypercore.backend import Change
from holdfast.storage import DirectoryStorage, checkpoint, layout, open_storage
from holdfast.storage.twice import write_twice
from tests.storage.logs import KEY, BadBlock, Writer, check_log

Open = Callable[..., DirectoryStorage]
BLOCKS = [b"block %d " % n * (n + 1) for n in range(40)]


async def make(open_directory: Open, name: str = "store", **options: object) -> None:
    """A store with a log, a setting and a secret, closed."""
    storage = open_directory(name, **options)
    Writer(storage.core(KEY, own=True)).append(*BLOCKS)
    storage.set_setting("name", b"value")
    storage.set_secret("key", b"secret value")
    await storage.close()


# -- opening and closing ---------------------------------------------------------------------------


async def test_a_closed_store_opens_as_it_was(open_directory: Open) -> None:
    await make(open_directory)
    storage = open_directory()
    check_log(storage.core(KEY), BLOCKS)
    assert storage.get_setting("name") == b"value"
    assert storage.get_secret("key") == b"secret value"
    assert [(info.length, info.own) for info in storage.cores()] == [(len(BLOCKS), True)]
    await storage.close()


async def test_the_primary_key_stays(open_directory: Open) -> None:
    storage = open_directory()
    key = storage.primary_key
    await storage.close()
    storage = open_directory()
    assert storage.primary_key == key
    assert len(key) == 32
    await storage.close()


async def test_a_closed_store_is_small(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000


async def test_only_the_owner_may_read_it(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


async def test_opening_and_closing_writes_nothing_of_weight(
    open_directory: Open, tmp_path: Path
) -> None:
    await make(open_directory)
    before = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}
    storage = open_directory()
    check_log(storage.core(KEY), BLOCKS)
    await storage.close()
    after = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}
    changed = {path.name for path in before if before[path] != after.get(path)}
    assert changed <= {"lease"}
    assert set(before) == set(after)


async def test_a_directory_in_use_is_refused(open_directory: Open) -> None:
    storage = open_directory()
    with pytest.raises(StoreBusyError, match=f"process {os.getpid()}"):
        open_directory()
    await storage.close()
    await open_directory().close()


_HOLDER = """
import sys, time
from pathlib import Path
from holdfast.storage import open_storage
storage = open_storage(sys.argv[1], state=Path(sys.argv[2]))
print("open", flush=True)
sys.stdin.read()
"""


async def test_the_lease_ends_with_the_process_however_it_ends(
    open_directory: Open, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _HOLDER, tmp_path / "store", tmp_path / "state"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreBusyError, match=f"process {holder.pid}"):
            open_directory()
        holder.kill()
        holder.wait()
        storage = open_directory()
    await storage.close()


# -- what is refused -------------------------------------------------------------------------------


def test_another_directory_is_refused(open_directory: Open, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "letter.txt").write_text("dear")
    with pytest.raises(StoreVersionError, match="not a Holdfast store"):
        open_directory()
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["letter.txt"]


async def test_a_configuration_may_lie_there_before_the_store(
    open_directory: Open, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "holdfast.toml").write_text("[network]\n")
    storage = open_directory()
    await storage.close()
    assert (tmp_path / "store" / "holdfast.toml").read_text() == "[network]\n"


def test_a_file_is_refused(open_directory: Open, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("dear")
    with pytest.raises(StoreVersionError):
        open_directory()


async def test_a_newer_format_is_refused(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    path = tmp_path / "store" / layout.FORMAT
    write_twice(path, b"HOLDFAST", (2).to_bytes(4, "little") + bytes(16) + b"ready and more")
    with pytest.raises(StoreVersionError, match="format 2"):
        open_directory()


def test_the_lease_is_let_go_after_a_refusal(open_directory: Open, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    write_twice(tmp_path / "store" / layout.FORMAT, b"HOLDFAST", (9).to_bytes(4, "little"))
    for _ in range(2):
        with pytest.raises(StoreVersionError):
            open_directory()


async def test_a_store_whose_making_was_cut_off_is_made_again(
    open_directory: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every step of making it."""
    steps = 0

    class Cut(Exception):
        pass

    real = os.open

    def counting(*arguments: object, **options: object) -> int:
        nonlocal steps
        steps -= 1
        if steps == 0:
            raise Cut
        return real(*arguments, **options)  # type: ignore[arg-type]

    for step in range(1, 200):
        steps = step
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", counting)
            try:
                storage = open_directory()
            except Cut:
                continue
        await storage.close()
        break
    assert 10 < step < 100
    storage = open_directory()
    assert storage.moved is False
    await storage.close()


@pytest.mark.parametrize(
    "name", ["index.sqlite", "journal.0", "journal.1", "synced", "secrets", "format"]
)
async def test_a_missing_file_is_noticed(open_directory: Open, tmp_path: Path, name: str) -> None:
    await make(open_directory)
    (tmp_path / "store" / name).unlink()
    with pytest.raises(StoreError):
        open_directory()


@pytest.mark.parametrize("name", ["leaves", "nodes", "data"])
@pytest.mark.parametrize("how", ["missing", "empty", "swapped", "zeroed", "halved"])
async def test_files_of_a_log_that_are_not_theirs_are_noticed(
    open_directory: Open, tmp_path: Path, name: str, how: str
) -> None:
    storage = open_directory()
    other = bytes(32)
    for number, key in enumerate((KEY, other)):
        blocks = [bytes([number, n]) * 500 for n in range(40)]
        Writer(storage.core(key, own=True)).append(*blocks)
    files = storage._engine.files
    first, second = (
        Path(files.stem(storage.core(key).discovery_key) + "." + name) for key in (KEY, other)
    )
    await storage.close()
    size = first.stat().st_size
    if how == "missing":
        first.unlink()
    elif how == "swapped":
        shutil.move(first, tmp_path / "kept")
        shutil.copy(second, first)
    else:
        os.truncate(first, size // 2 if how == "halved" else 0)
        if how == "zeroed":
            os.truncate(first, size)
    storage = open_directory()
    with pytest.raises((DamagedError, BadBlock)):
        check_log(storage.core(KEY), [bytes([0, n]) * 500 for n in range(40)])
    check_log(storage.core(other), [bytes([1, n]) * 500 for n in range(40)])
    await storage.close()


async def test_lost_roots_of_somebodys_log_are_noticed(
    open_directory: Open, tmp_path: Path
) -> None:
    """A reader may lack many nodes, but never those that its head is made of."""
    storage = open_directory()
    Writer(storage.core(KEY)).append(*BLOCKS)
    path = storage._engine.files.path(storage.core(KEY).discovery_key, 1)
    await storage.close()
    os.truncate(path, 0)
    storage = open_directory()
    for root in (31, 71):
        with pytest.raises(DamagedError):
            storage.core(KEY).node(root)
    assert storage.core(KEY).node(1) is None
    await storage.close()


async def test_a_log_without_its_entry_is_not_taken_for_an_empty_one(
    open_directory: Open, tmp_path: Path
) -> None:
    await make(open_directory)
    await make(open_directory, "empty")
    storage = open_directory("empty")
    storage.core(KEY)
    await storage.close()
    cores = tmp_path / "store" / "cores"
    storage = open_directory("third")
    await storage.close()
    shutil.copytree(cores, tmp_path / "third" / "cores", dirs_exist_ok=True)
    storage = open_directory("third")
    with pytest.raises(DamagedError, match="lost its entry"):
        storage.core(KEY)
    await storage.close()


async def test_an_older_index_is_noticed(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    index = tmp_path / "store" / "index.sqlite"
    old = index.read_bytes()
    for _ in range(4):
        storage = open_directory()
        Writer(storage.core(KEY)).append(b"more")
        await storage.sync()
        await storage.close()
    index.write_bytes(old)
    with pytest.raises(DamagedError):
        open_directory()


# -- secrets ---------------------------------------------------------------------------------------


async def test_a_sealed_store_needs_its_passphrase(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory, passphrase="open sesame", primary_key=b"P" * 32)
    with pytest.raises(PassphraseError):
        open_directory()
    with pytest.raises(PassphraseError):
        open_directory(passphrase="wrong")
    storage = open_directory(passphrase="open sesame")
    assert storage.primary_key == b"P" * 32
    storage.seal(None)
    await storage.close()
    storage = open_directory()
    storage.seal("another")
    await storage.close()
    with pytest.raises(PassphraseError):
        open_directory(passphrase="open sesame")
    await open_directory(passphrase="another").close()
    everything = b"".join(p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file())
    assert b"P" * 32 not in everything
    assert b"secret value" not in everything


# -- whose store this is ---------------------------------------------------------------------------


async def test_a_copy_knows_that_it_is_one(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    shutil.copytree(tmp_path / "store", tmp_path / "copy", copy_function=shutil.copy2)
    copy = open_directory("copy")
    assert copy.moved is True
    copy.confirm_moved()
    assert copy.moved is False
    await copy.close()
    copy = open_directory("copy")
    assert copy.moved is False
    await copy.close()


async def test_a_restored_backup_knows_that_it_is_one(open_directory: Open, tmp_path: Path) -> None:
    """Restored over the store, as rsync does it: changed files are replaced, others stay."""
    await make(open_directory)
    store, backup = tmp_path / "store", tmp_path / "backup"
    shutil.copytree(store, backup)
    storage = open_directory()
    Writer(storage.core(KEY)).append(b"more")
    await storage.close()
    for path in backup.rglob("*"):
        target = store / path.relative_to(backup)
        if path.is_file() and path.read_bytes() != target.read_bytes():
            shutil.copy(path, target.with_name("draft"))
            os.replace(target.with_name("draft"), target)
    storage = open_directory()
    check_log(storage.core(KEY), BLOCKS)
    assert storage.moved is True
    await storage.close()


async def test_a_renamed_store_is_the_same_one(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    (tmp_path / "store").rename(tmp_path / "renamed")
    storage = open_directory("renamed")
    assert storage.moved is False
    await storage.close()


async def test_marks_outlive_a_restored_store(open_directory: Open, tmp_path: Path) -> None:
    await make(open_directory)
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    storage = open_directory()
    storage.set_highwater(KEY, 0, 41)
    await storage.close()
    shutil.rmtree(tmp_path / "store")
    shutil.copytree(tmp_path / "backup", tmp_path / "store")
    storage = open_directory()
    assert storage.highwater(KEY) == (0, 41)
    assert storage.moved is True
    await storage.close()


# -- many logs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.slow)])
async def test_thousands_of_logs_with_few_descriptors(open_directory: Open, count: int) -> None:
    storage = open_directory()
    keys = [number.to_bytes(32, "big") for number in range(1, count + 1)]
    for key in keys:
        Writer(storage.core(key)).append(key)
    await storage.close()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    storage = open_directory()
    assert descriptors() - before < 20
    assert len(storage.cores()) == count
    for key in keys[::10]:
        check_log(storage.core(key), [key])
        assert descriptors() - before < 200
    for key in keys[::100]:
        Writer(storage.core(key)).append(b"more")
    assert descriptors() - before < 200
    await storage.close()
    assert descriptors() == before


async def test_closing_a_log_lets_go_and_it_comes_back(open_directory: Open) -> None:
    storage = open_directory()
    backend = storage.core(KEY)
    Writer(backend).append(*BLOCKS)
    backend.close()
    check_log(backend, BLOCKS)
    storage._engine.checkpoints.run_all()
    backend.close()
    check_log(backend, BLOCKS)
    Writer(backend).append(b"more")
    check_log(backend, [*BLOCKS, b"more"])
    await storage.close()


# -- space -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "count"), [(0, 4), (6, 5), (28, 4), (0, 32)])
async def test_clearing_gives_space_back_anywhere(
    open_directory: Open, start: int, count: int
) -> None:
    storage = open_directory()
    backend = storage.core(KEY)
    size = 50_000
    Writer(backend).append(*[bytes([n + 1]) * size for n in range(32)])
    await storage.sync()
    path = storage._engine.files.path(backend.discovery_key, 2)
    before = os.stat(path).st_blocks * 512
    backend.write(Change(absent=[(start, count)]), durable=True)
    freed = backend.punch(start * size, count * size)
    after = os.stat(path).st_blocks * 512
    assert freed == before - after
    assert freed >= count * size - 2 * 4096
    for index in range(32):
        held = not start <= index < start + count
        assert backend.has(index) is held
        if held:
            assert backend.read(index * size, size) == bytes([index + 1]) * size
    await storage.close()


async def test_checkpoints_keep_memory_and_journal_small(
    open_directory: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "MAX_JOURNAL", 300_000)
    monkeypatch.setattr(checkpoint, "MAX_PENDING", 2000)
    storage = open_directory()
    backend = storage.core(KEY)
    writer = Writer(backend)
    for _ in range(200):
        writer.append(*[b"x" * 100] * 100)
        assert storage._engine.pending_records <= 4 * 2000 + 400
        assert len(backend.leaves) + len(backend.frozen_leaves) < 16_000
        assert storage._engine.journal.tail < 4 * 300_000 + 100_000
    check_log(backend, [b"x" * 100] * 20_000)
    await storage.close()


def test_it_works_without_an_event_loop_until_it_closes(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "store", state=tmp_path / "state")
    Writer(storage.core(KEY)).append(*BLOCKS)
    storage.set_highwater(KEY, 0, 3)
    check_log(storage.core(KEY), BLOCKS)
    storage._close_now()
