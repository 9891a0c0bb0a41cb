"""Sharing and getting between real processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.machines import Machine, tree

pytestmark = pytest.mark.e2e


def test_a_file_and_a_folder_arrive_as_they_are(alice: Machine, bob: Machine, notes: Path) -> None:
    film = notes.parent / "film.mp4"
    film.write_bytes(os.urandom(500_000))
    with alice.sharing(film, notes) as shared:
        event = shared.event
        assert set(event) >= {"event", "link", "key", "listen", "files", "bytes"}
        assert event["files"] == 6 and event["bytes"] == 3_500_000 + 7 + 10
        assert event["link"].startswith(f"hyper://{event['key']}?peer={event['listen'][0]}#")
        dest = bob.home / "dest"
        got = bob.run("get", shared.link, dest)
        assert got.status == 0, got.err
        done = got.events[-1]
        assert done["event"] == "done"
        assert (done["files"], done["bytes"]) == (event["files"], event["bytes"])
        assert done["bytes"] < done["received"] < 1.05 * done["bytes"] + 20_000
        assert tree(dest) == {"film.mp4": (film.read_bytes(), False)} | {
            f"notes/{name}": content for name, content in tree(notes).items()
        }
        assert shared.process.stop() == 0


def test_again_brings_only_what_changed(alice: Machine, bob: Machine, notes: Path) -> None:
    dest = bob.home / "dest"
    with alice.sharing(notes) as shared:
        assert bob.run("get", shared.link, dest).status == 0
        again = bob.run("get", shared.link, dest).events[-1]
        assert again["written"] == 0 and again["received"] < 20_000
        link = shared.link
        assert shared.process.stop(signal.SIGTERM) == 0
    (notes / "new.txt").write_bytes(b"n" * 100_000)
    (notes / "empty.txt").unlink()
    (notes / "link.txt").unlink()
    with alice.sharing(notes) as shared:
        assert shared.link.split("?")[0] == link.split("?")[0]
        assert shared.event["files"] == 4
        done = bob.run("get", shared.link, dest).events[-1]
        assert done["written"] == 1 and 100_000 < done["received"] < 150_000
    assert (dest / "notes" / "new.txt").exists()
    assert (dest / "notes" / "empty.txt").exists(), "what is in DEST is left alone"


def test_a_part_of_a_drive(alice: Machine, bob: Machine, notes: Path) -> None:
    with alice.sharing(notes) as shared:
        part = bob.run("get", shared.link + "/notes/deep/tool.sh", bob.home / "one")
        assert part.status == 0 and part.events[-1]["received"] < 50_000
        assert list(tree(bob.home / "one")) == ["tool.sh"]
        part = bob.run("get", shared.link + "/notes/deep", bob.home / "folder")
        assert part.events[-1]["files"] == 2
        assert tree(bob.home / "folder") == tree(notes / "deep")
        missing = bob.run("get", shared.link + "/nothing", bob.home / "none")
        assert missing.status == 5 and missing.error["code"] == "not-found"


def test_a_public_drive_needs_no_secret(alice: Machine, bob: Machine, notes: Path) -> None:
    with alice.sharing(notes, "--public") as shared:
        assert "#" not in shared.link and shared.event["public"]
        assert bob.run("get", shared.link, bob.home / "dest").status == 0
        assert tree(bob.home / "dest" / "notes") == tree(notes)
    refused = alice.run("share", notes, "--name", "private", "--once", "--expires", "1s")
    assert refused.status == 0
    refused = alice.run("share", notes, "--name", "private", "--public")
    assert refused.status == 2 and "is private" in refused.error["message"]


def test_looking_before_fetching(alice: Machine, bob: Machine, notes: Path) -> None:
    with alice.sharing(notes) as shared:
        names = bob.say("ls", shared.link + "/notes").out.splitlines()
        assert names == ["deep/", "empty.txt", "link.txt -> empty.txt", "waiata māori 🎵.txt"]
        entries = bob.run("ls", "-r", shared.link).events
        assert {each["path"] for each in entries} == {f"/notes/{name}" for name in tree(notes)}
        stat = bob.run("stat", shared.link + "/notes/deep/er/big.bin").events[0]
        assert stat["size"] == 3_000_000 and stat["here"] is False
        whole = bob.run("stat", shared.link).events[0]
        assert whole["files"] == 4 and whole["links"] == 1 and whole["private"]
        text = bob.say("cat", shared.link + "/notes/waiata māori 🎵.txt")
        assert text.out == "he aha\n"
        assert bob.say("cat", shared.link + "/notes/link.txt").out == ""
        sent = shared.sent()
        part = bob.say("cat", "--range", "3-", shared.link + "/notes/waiata māori 🎵.txt")
        assert part.out == "aha\n"
        assert sent < 200_000, "only names and the bytes asked for"


def test_the_owner_looks_and_changes(alice: Machine, notes: Path) -> None:
    assert alice.run("share", notes, "--expires", "1s").status == 0
    assert alice.run("ls").events[0]["drive"] == "notes"
    before = alice.run("stat", "notes").events[0]["version"]
    moved = alice.run("mv", "notes/notes/deep", "/kept")
    assert moved.events[0]["files"] == 2
    assert alice.say("rm", "notes/notes").status == 2, "a folder needs --recursive"
    assert alice.run("rm", "-r", "notes/notes").events[0]["files"] == 3
    assert alice.say("ls", "notes").out.splitlines() == ["kept/"]
    assert alice.say("ls", f"notes@{before}").out.splitlines() == ["notes/"]
    differences = alice.run("diff", "notes", str(before)).events
    assert differences[-1]["added"] == 2 and differences[-1]["removed"] == 5
    newest = alice.run("log", "notes", "-n", "1").events
    assert newest[0]["type"] == "del" and len(newest) == 1
    copied = alice.run("get", f"notes@{before}", alice.home / "old")
    assert copied.status == 0 and copied.events[-1]["received"] == 0
    assert tree(alice.home / "old" / "notes") == tree(notes)
    assert alice.run("rm", f"notes@{before}/notes").status == 2
    assert alice.run("rm", "other/x").status == 5


def test_once_stops_when_somebody_has_it_all(alice: Machine, bob: Machine, notes: Path) -> None:
    with alice.sharing(notes, "--once") as shared:
        assert bob.run("get", shared.link + "/notes/empty.txt", bob.home / "one").status == 0
        assert shared.process.process.poll() is None, "a part is not all"
        assert bob.run("get", shared.link, bob.home / "all").status == 0
        assert shared.process.process.wait(30) == 0


def test_a_store_belongs_to_one_process_but_reading_goes_on(alice: Machine, notes: Path) -> None:
    with alice.sharing(notes) as shared:
        busy = alice.run("share", notes)
        assert busy.status == 41 and busy.error["code"] == "store-busy" and busy.error["hint"]
        assert alice.run("ls").status == 41
        assert alice.say("cat", shared.link + "/notes/waiata māori 🎵.txt").out == "he aha\n"


def test_progress_is_told_twice_a_second_at_most(
    alice: Machine, bob: Machine, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(os.urandom(40_000_000))
    with alice.sharing(tmp_path / "big") as shared:
        start = time.monotonic()
        got = bob.run("get", shared.link, bob.home / "dest")
        seconds = time.monotonic() - start
        names = [each["event"] for each in got.events]
        assert names[-1] == "done"
        assert names.count("progress") <= 2 * seconds + 1
        assert set(names) <= {"progress", "waiting", "done"}
