"""What goes wrong says so in one sentence, with a stable status, and loses nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

import holdfast
from holdfast.errors import HoldfastError
from holdfast.hyperdrive import Value
from tests.e2e.machines import Machine, tree

pytestmark = pytest.mark.e2e


def fails(ran: object, status: int, code: str) -> None:
    """One sentence, a hint, and nothing of the program's inside."""
    from tests.cli.running import Ran

    assert isinstance(ran, Ran)
    assert ran.status == status, ran
    assert ran.error["code"] == code
    assert ran.error["message"].endswith((".", "?", "!")), ran.error
    assert "Traceback" not in ran.err and ran.err.count("\n") == 1


def test_links_that_are_wrong(alice: Machine, bob: Machine, notes: Path) -> None:
    with alice.sharing(notes) as shared:
        link, dest = shared.link, bob.home / "dest"
        head, secret = link.split("#")
        fails(bob.run("get", link[:-3], dest), 3, "bad-link")
        fails(bob.run("get", head, dest), 3, "bad-link")
        fails(bob.run("get", head + "#" + secret[::-1], dest), 3, "bad-link")
        fails(bob.run("get", "hyper://nonsense", dest), 3, "bad-link")
        fails(bob.run("get", link.replace(shared.event["key"], "l" * 52), dest), 3, "bad-link")
        other = ("y" if link[8] != "y" else "b") + link[9:]
        fails(bob.run("get", "hyper://" + other, dest), 32, "not-available")
        assert not dest.exists(), "nothing is made for a link that leads nowhere"
        assert secret not in bob.run("get", head + "#" + secret[::-1], dest).err
        assert bob.run("get", link, dest).status == 0, "the store took no harm"


def test_peers_that_are_not_there(bob: Machine) -> None:
    link = "hyper://" + "y" * 52
    fails(bob.run("get", link, bob.home / "d"), 31, "unreachable")
    fails(bob.run("get", link + "?peer=127.0.0.1:1", bob.home / "d"), 31, "unreachable")
    fails(bob.run("get", link + "?peer=nowhere.invalid:1", bob.home / "d"), 31, "unreachable")
    fails(bob.run("get", link, "--peer", "x:y", bob.home / "d"), 9, "bad-address")


def test_arguments_that_make_no_sense(alice: Machine, bob: Machine, notes: Path) -> None:
    fails(alice.run("share", notes / "nothing"), 5, "not-found")
    fails(alice.run("share", "/"), 4, "bad-path")
    fails(alice.run("share", notes, "--name", "../up"), 4, "bad-path")
    fails(alice.run("share", notes, "--name", "a\x1b[2Jb"), 4, "bad-path")
    fails(alice.run("share", notes, "--expires", "soon"), 2, "usage")
    fails(alice.run("share", notes, "--listen", "127.0.0.1:99999"), 9, "bad-address")
    fails(alice.run("share", notes, "--listen", "192.0.2.1:0"), 10, "cannot-listen")
    twin = notes.parent / "other" / "notes"
    twin.mkdir(parents=True)
    fails(alice.run("share", notes, twin), 4, "bad-path")
    (bob.home / "file").write_bytes(b"mine")
    fails(bob.run("get", "hyper://" + "y" * 52, bob.home / "file"), 4, "bad-path")
    assert (bob.home / "file").read_bytes() == b"mine"
    fails(bob.run("cat", "notes/x"), 5, "not-found")
    fails(bob.run("cat", "--range", "9-3", "notes/x"), 2, "usage")


def test_names_that_play_tricks_stay_inside_and_off_the_terminal(
    alice: Machine, bob: Machine, tmp_path: Path
) -> None:
    """A sharer who writes what no honest program would."""
    names = ["/../evil", "/a/../../evil", "//evil", "/.", "/nul\x00", "/bell\x07\x1b[2J", "/ok.txt"]
    names += ["/a\\b", "/x/" + "y" * 300, "/evil\n"]

    async def prepare() -> None:
        async with holdfast.open(alice.store) as node:
            drive = await node.drive(name="tricks")
            await drive.put("/good.txt", b"good")
            entry = await drive.entry("/good.txt")
            assert entry is not None
            files = drive.bee.sub("files")
            for name in names:
                await files.put(name, Value(blob=entry.blob))
            await files.put("/link", Value(linkname="../../evil"))

    asyncio.run(prepare())
    (tmp_path / "extra.txt").write_bytes(b"extra")
    with alice.sharing(tmp_path / "extra.txt", "--name", "tricks") as shared:
        dest = bob.home / "deep" / "dest"
        got = bob.run("get", shared.link, dest)
        assert got.status == 4 and got.error["code"] == "bad-path"
        assert set(tree(dest)) == {"good.txt", "ok.txt", "extra.txt"}
        assert got.events[-1]["event"] == "done" and got.events[-1]["refused"] == 10
        assert {each.name for each in bob.home.iterdir()} <= {"deep", "store", "runtime"}
        assert not list(tmp_path.rglob("*evil*"))
        listed = bob.say("ls", "-r", shared.link).out
        assert "\x1b" not in listed and "\x07" not in listed and "bell\\x07\\x1b[2J" in listed


def test_a_sealed_store_opens_with_its_passphrase_only(
    alice: Machine, notes: Path, tmp_path: Path
) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    made = alice.run("--passphrase-file", right, "share", notes, "--expires", "1s")
    assert made.status == 0, made.err
    fails(alice.run("ls"), 7, "wrong-passphrase")
    fails(alice.run("ls", "--passphrase-file", wrong), 7, "wrong-passphrase")
    fails(alice.run("ls", "--passphrase-file", tmp_path / "none"), 2, "usage")
    named = os.environ | {"HOLDFAST_PASSPHRASE_FILE": str(right)}
    assert alice.run("ls", env=named).events[0]["drive"] == "notes"
    reading, writing = os.pipe()
    os.write(writing, b"correct horse\n")
    os.close(writing)
    opened = alice.run("ls", "--passphrase-file", f"fd:{reading}", pass_fds=[reading])
    os.close(reading)
    assert opened.status == 0


def test_something_that_is_no_store_is_left_alone(bob: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(b"cat")
    ran = bob.run("--store", folder, "ls")
    assert ran.status in (2, 42) and ran.error["hint"] is not None
    assert [each.name for each in folder.iterdir()] == ["cat.jpg"]


def test_errors_that_are_raised_have_codes_of_the_tree() -> None:
    codes = {"bad-link", "not-found", "bad-path", "bad-address", "cannot-listen", "unreachable"}
    known, waiting = set[str](), [HoldfastError]
    while waiting:
        error = waiting.pop()
        known.add(error.code)
        waiting += error.__subclasses__()
    assert codes <= known
