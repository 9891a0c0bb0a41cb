"""Data outlives the code: a program that knows only `docs/format.md` gets every file back."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import Store
from tests.cli.running import Ran
from tests.e2e.machines import Machine

pytestmark = pytest.mark.e2e

RESCUE = Path(__file__).resolve().parents[2] / "examples" / "rescue.py"


def rescue(stick: Path, *arguments: str | Path, words: str = "") -> Ran:
    """Run the reader in a process that cannot import Holdfast."""
    blocked = "import sys, runpy; sys.modules['holdfast'] = None; sys.argv = sys.argv[1:]; "
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}runpy.run_path(sys.argv[0], run_name='__main__')"]
        + [str(each) for each in (RESCUE, stick, *arguments)],
        input=words,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,  # no terminal: a passphrase comes from standard input
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def hashes(folder: Path) -> dict[str, str]:
    """What is in a folder: SHA-256 of each file, the text of each link."""
    return {
        str(path.relative_to(folder)): "-> " + str(path.readlink())
        if path.is_symlink()
        else f"{sha256(path.read_bytes()).hexdigest()} {path.stat().st_mode & 0o100}"
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def copied(machine: Machine, stick: Path) -> Path:
    """The store as a stick has it: bytes alone, nothing may be written to it."""
    shutil.copytree(machine.store, stick)
    for path in [*stick.rglob("*"), stick]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    return stick


def writer(top: Path) -> Callable[[str, dict[str, Any]], None]:
    """The writing half of the reader, on a new folder, with files that are empty."""
    top.mkdir()
    write = runpy.run_path(str(RESCUE))["write"]
    blank = {"linkname": None, "blob": None, "executable": False}
    return lambda path, entry: write(top.resolve(), path, blank | entry, None)


def state(stick: Path) -> dict[str, str]:
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in stick.rglob("*.*")}


def share_all(machine: Machine, *arguments: str | Path) -> None:
    done = machine.run("share", *arguments, "--listen", "127.0.0.1:0", "--expires", "1s")
    assert done.status == 0, done.err


def rows(stick: Path) -> int:
    """Logs that a checkpoint has written of."""
    with closing(sqlite3.connect(f"file:{stick}/index.sqlite?mode=ro", uri=True)) as index:
        return int(index.execute("SELECT count(*) FROM cores").fetchone()[0])


@pytest.mark.parametrize("public", [False, True], ids=["private", "public"])
def test_every_version_of_a_drive(
    alice: Machine, notes: Path, tmp_path: Path, public: bool
) -> None:
    options = ["--public"] if public else []
    share_all(alice, notes, *options)
    before = hashes(notes)
    (notes / "empty.txt").write_text("no longer empty")
    (notes / "deep" / "tool.sh").unlink()
    for number in range(40):  # a tree of more than one level
        (notes / f"{number}.txt").write_bytes(os.urandom(number * 5000))
    share_all(alice, notes, *options)
    stick = copied(alice, tmp_path / "stick")
    untouched = state(stick)

    listed = rescue(stick)
    assert listed.status == 0, listed.err
    key, kind, _, _, name = listed.out.split()
    assert (kind, name) == ("public" if public else "private", "notes")
    for chosen in (name, key):
        done = rescue(stick, chosen, tmp_path / "out" / chosen)
        assert done.status == 0, done.err
        assert hashes(tmp_path / "out" / chosen / "notes") == hashes(notes)
    done = rescue(stick, name, tmp_path / "first", str(1 + len(before)))
    assert done.status == 0, done.err
    assert hashes(tmp_path / "first" / "notes") == before
    assert state(stick) == untouched
    if not public:
        blocks = b"".join(path.read_bytes() for path in stick.rglob("*.data"))
        assert b"tool.sh" not in blocks


def test_a_sharer_that_was_killed(alice: Machine, notes: Path, tmp_path: Path) -> None:
    with alice.sharing(notes) as shared:
        shared.process.stop(signal.SIGKILL)
    first = copied(alice, tmp_path / "first")
    assert rows(first) == 0, "nothing but the journal knows of the drive"
    done = rescue(first, "notes", tmp_path / "out")
    assert done.status == 0, done.err
    assert hashes(tmp_path / "out" / "notes") == hashes(notes)

    share_all(alice, notes)  # a checkpoint, then more in the journal
    (notes / "more.bin").write_bytes(os.urandom(400_000))
    (notes / "less.txt").write_bytes(os.urandom(400))
    (notes / "deep" / "tool.sh").unlink()
    with alice.sharing(notes) as shared:
        shared.process.stop(signal.SIGKILL)
    second = copied(alice, tmp_path / "second")
    assert rows(second) == 2
    done = rescue(second, "notes", tmp_path / "out-2")
    assert done.status == 0, done.err
    assert hashes(tmp_path / "out-2" / "notes") == hashes(notes)


@pytest.mark.parametrize("public", [False, True], ids=["private", "public"])
def test_a_drive_of_somebody_else(
    alice: Machine, bob: Machine, notes: Path, tmp_path: Path, public: bool
) -> None:
    with alice.sharing(notes, *(["--public"] if public else [])) as shared:
        assert bob.run("get", shared.link, tmp_path / "got").status == 0
    stick = copied(bob, tmp_path / "stick")
    listed = rescue(stick)
    key, kind, *_ = listed.out.split()
    assert kind == ("public" if public else "private")
    done = rescue(stick, key, tmp_path / "out")
    assert done.status == 0, done.err
    assert hashes(tmp_path / "out" / "notes") == hashes(notes)


def test_a_sealed_store(alice: Machine, notes: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("the tide waits for nobody\n")
    done = alice.run(
        *("--passphrase-file", words, "share", notes, "--listen", "127.0.0.1:0", "--expires", "1s")
    )
    assert done.status == 0, done.err
    stick = copied(alice, tmp_path / "stick")
    refused = rescue(stick, "notes", tmp_path / "no", words="the tide waits\n")
    assert refused.status != 0
    opened = rescue(stick, "notes", tmp_path / "out", words=words.read_text())
    assert opened.status == 0, opened.err
    assert hashes(tmp_path / "out" / "notes") == hashes(notes)


def test_damage_costs_one_file(alice: Machine, notes: Path, tmp_path: Path) -> None:
    share_all(alice, notes)
    data = max(alice.store.rglob("*.data"), key=lambda path: path.stat().st_size)
    with data.open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"rust")
    done = rescue(copied(alice, tmp_path / "stick"), "notes", tmp_path / "out")
    assert done.status == 1
    assert "deep/er/big.bin" in done.err
    expected = hashes(notes)
    del expected["deep/er/big.bin"]
    assert hashes(tmp_path / "out" / "notes") == expected


@pytest.mark.parametrize("bad", ["/../out.txt", "/a/../../out.txt", "/a\\b", "/..", "/a//b"])
def test_a_name_that_leads_outside(tmp_path: Path, bad: str) -> None:
    """Names that no Holdfast would put there, but another program may have."""
    write = writer(tmp_path / "top")
    write("/good.txt", {})
    with pytest.raises(Exception, match="outside"):
        write(bad, {})
    assert [*hashes(tmp_path)] == ["top/good.txt"]


@pytest.mark.parametrize("link", ["../x", "/../x", "a/../../x", "b/.."])
def test_a_link_that_leads_outside(tmp_path: Path, link: str) -> None:
    with pytest.raises(Exception, match="outside"):
        writer(tmp_path / "top")("/link", {"linkname": link})


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    write = writer(tmp_path / "top")
    write("/deep/link", {"linkname": "/other"})
    assert (tmp_path / "top/deep/link").readlink() == Path("../other")
    with pytest.raises(Exception, match="link is in the way"):
        write("/deep/link/file", {})


def test_what_the_disk_never_got_ends_the_journal(
    alice: Machine, notes: Path, tmp_path: Path
) -> None:
    """After a power cut: a record is there, the large blocks it tells of are not."""
    with alice.sharing(notes) as shared:
        shared.process.stop(signal.SIGKILL)
    (alice.store / "synced").write_bytes(bytes(1024))
    stick = copied(alice, tmp_path / "stick")
    for data in stick.rglob("*.data"):
        data.chmod(0o600)
        data.write_bytes(b"")
    done = rescue(stick, "notes", tmp_path / "out")
    assert done.status != 0
    assert "Traceback" not in done.err, done.err
    assert hashes(tmp_path / "out" / "notes").items() <= hashes(notes).items()


async def test_a_log_that_was_cut(tmp_path: Path) -> None:
    """Cut and grown again after a checkpoint, so that files and journal disagree."""
    old = [os.urandom(size) for size in (10, 50_000, 7, 90_000, 5, 6)]
    async with await Store.open(tmp_path / "store") as store:
        await store.core(name="log").append(old)
    new = [os.urandom(size) for size in (9, 50_001, 70_000, 3)]
    async with await Store.open(tmp_path / "store") as store:
        log = store.core(name="log")
        await log.append([b"soon gone", os.urandom(60_000)])
        await log.truncate(3)
        await log.append(new[:2])
        await log.append(new[2:], durable=True)
        key = log.key
        shutil.copytree(tmp_path / "store", tmp_path / "stick")
    found = runpy.run_path(str(RESCUE))["Store"](tmp_path / "stick").log(key)
    assert [found.block(index) for index in range(found.length)] == old[:3] + new
