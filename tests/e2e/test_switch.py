"""Turning switches of a store, at rest and while another process serves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.running import Running, running
from tests.e2e.machines import Machine, Shared, tree
from tests.e2e.proxy import wire

pytestmark = pytest.mark.e2e

STRANGER = "y" * 52


@pytest.fixture
def carol(tmp_path: Path) -> Machine:
    """Who fetches, too."""
    return Machine(tmp_path / "carol")


@contextmanager
def fetching(machine: Machine, link: str, **environment: str) -> Iterator[Running]:
    """A ``get`` that goes on."""
    where = ["--store", machine.store, "get", link, machine.home / "dest"]
    with running(*where, env=machine.environment | environment) as process:
        yield process


def key_of(shared: Shared, machine: Machine, part: str) -> str:
    """The key of somebody who has fetched a part."""
    assert machine.run("get", shared.link + part, machine.home / "part").status == 0
    key: str = shared.process.event("connected")["key"]
    shared.process.event("disconnected")
    return key


def test_what_is_unlisted_is_not_found_until_it_is_announced(
    alice: Machine, bob: Machine, notes: Path
) -> None:
    # Both are seen as nodes of one machine from now on.
    runtime = str(alice.home / "runtime")
    with alice.sharing(notes, "--unlisted") as shared:
        link = shared.link.split("?")[0] + "#" + shared.link.split("#")[1]
        (standing, _) = alice.run("switch", "notes").events
        assert (standing["announced"], standing["given"], standing["live"]) == (
            False,
            "everybody",
            True,
        )
        environment = bob.environment | {"HOLDFAST_RUNTIME": runtime}
        missed = bob.run("get", link, bob.home / "dest", env=environment)
        assert missed.status == 31 and missed.error["code"] == "unreachable"
        turned = alice.run("switch", "notes", "--announce")
        assert turned.status == 0 and turned.events[0]["announced"]
        assert shared.process.event("switches") == turned.events[0]
        assert bob.run("get", link, bob.home / "dest", env=environment).status == 0
        assert tree(bob.home / "dest" / "notes") == tree(notes)
        assert alice.run("switch", "notes", "--no-announce").events[0]["announced"] is False


def test_a_getter_is_cut_off_in_the_middle_and_finishes_later(
    alice: Machine, bob: Machine, notes: Path
) -> None:
    with alice.sharing(notes) as shared, wire(shared.event["listen"][0]) as between:
        between.hold(500_000)
        link = shared.link.replace(shared.event["listen"][0], between.address)
        with fetching(bob, link) as getter:
            assert between.held.wait(30)
            turned = alice.run("switch", "notes", "--no-upload")
            assert turned.status == 0 and turned.events[0]["given"] == "nobody"
            between.hang_up()
            # It comes back, asks, and is given nothing.
            assert getter.event("waiting")["for"]
            shared.process.event("disconnected")
            shared.process.event("connected")
            assert getter.process.poll() is None
            turned = alice.run("switch", "notes", "--upload")
            assert turned.events[0]["given"] == "everybody"
            assert getter.event("done")["written"] > 0
        assert tree(bob.home / "dest" / "notes") == tree(notes)


def test_one_peer_gets_nothing_while_others_do(
    alice: Machine, bob: Machine, carol: Machine, notes: Path
) -> None:
    with alice.sharing(notes) as shared:
        key = key_of(shared, bob, "/notes/deep/tool.sh")
        turned = alice.run("switch", shared.link, "--disallow", key)
        assert turned.events[0]["withheld"] == [key]
        with fetching(bob, shared.link) as getter:
            assert shared.process.event("connected")["key"] == key
            assert carol.run("get", shared.link, carol.home / "dest").status == 0
            assert getter.process.poll() is None
            assert alice.run("switch", "notes", "--allow", key).events[0]["withheld"] == []
            getter.event("done")
        assert tree(bob.home / "dest" / "notes") == tree(notes) == tree(carol.home / "dest/notes")


def test_a_stop_for_a_peer_lasts_until_it_is_taken_back(
    alice: Machine, bob: Machine, notes: Path
) -> None:
    with alice.sharing(notes) as shared:
        key = key_of(shared, bob, "/notes/deep/tool.sh")
        shared.process.stop()
    stopped = alice.run("switch", "--stop", key)
    assert stopped.events == [{"event": "uploads", "stopped": [key]}]
    with alice.sharing(notes) as shared, fetching(bob, shared.link) as getter:
        assert shared.process.event("connected")["key"] == key
        status = alice.run("status").events
        assert [each["event"] for each in status] == [
            "serving",
            "connection",
            "switches",
            "uploads",
        ]
        assert status[1]["key"] == key and status[1]["route"] == "direct"
        assert status[3]["stopped"] == [key]
        assert getter.process.poll() is None
        assert alice.run("switch", "--resume", key).events[-1]["stopped"] == []
        getter.event("done")
    assert tree(bob.home / "dest" / "notes") == tree(notes)


def test_switches_turned_at_rest_hold_for_the_next_up(
    alice: Machine, bob: Machine, notes: Path
) -> None:
    with alice.sharing(notes) as shared:
        link = shared.link
        shared.process.stop()
    turned = alice.run("switch", "notes", "--no-announce", "--no-upload", "--allow", STRANGER)
    (standing, _) = turned.events
    assert (standing["announced"], standing["given"], standing["to"], standing["live"]) == (
        False,
        "some",
        [STRANGER],
        False,
    )
    assert alice.run("ls", "notes").status == 0, "looking at it changes no switch"
    with alice.start("up", "--listen", "127.0.0.1:0") as up:
        event = up.event("up")
        assert event["drives"] == 1
        assert alice.run("switch").events[0] == standing | {"live": True}
        link = link.split("?")[0] + f"?peer={event['listen'][0]}#" + link.split("#")[1]
        with fetching(bob, link) as getter:
            up.event("connected")
            assert alice.run("switch", "notes", "--upload").status == 0
            getter.event("done")
        assert up.stop() == 0
    said = alice.say("switch").out
    assert said == "notes  not announced  given to everybody (not served now)\n"


def test_every_mistake_is_one_sentence(alice: Machine, bob: Machine, notes: Path) -> None:
    nobody = alice.run("status")
    assert nobody.status == 30 and nobody.error["code"] == "unavailable"
    assert alice.say("switch").err.startswith("no drives yet")
    with alice.sharing(notes) as shared:
        for machine in (alice, bob):  # with and without a process
            unknown = machine.run("switch", "other", "--announce")
            assert unknown.status == 5 and "'other'" in unknown.error["message"]
            unknown = machine.run("switch", "hyper://" + STRANGER, "--announce")
            assert unknown.status == 5 and STRANGER in unknown.error["message"]
        cases = [
            (3, "The key is cut", ["notes", "--allow", "yyy"]),
            (3, "neither a link nor", ["http://x", "--upload"]),
            (2, "none is named", ["--upload"]),
            (2, "whole drive", ["notes/deep", "--upload"]),
            (2, "old version", ["notes@1", "--upload"]),
            (2, "opposite", ["notes", "--allow", STRANGER, "--disallow", STRANGER]),
            (2, "opposite", ["--stop", STRANGER, "--resume", STRANGER]),
        ]
        for status, words, arguments in cases:
            ran = alice.run("switch", *arguments)
            assert ran.status == status and words in ran.error["message"], ran
            assert ran.out == ""
        # Whoever has another runtime folder cannot reach it, and learns why.
        elsewhere = os.environ | {"HOLDFAST_RUNTIME": str(bob.home / "runtime")}
        busy = alice.run("switch", "notes", "--upload", env=elsewhere)
        assert busy.status == 41 and busy.error["code"] == "store-busy" and busy.error["hint"]
        assert shared.process.stop() == 0
    assert list((alice.home / "runtime" / "control").iterdir()) == []


def test_a_process_that_was_killed_leaves_nothing_in_the_way(alice: Machine, notes: Path) -> None:
    with alice.sharing(notes) as shared:
        shared.process.process.kill()
        shared.process.process.wait()
    assert list((alice.home / "runtime" / "control").iterdir()) != []
    assert alice.run("switch", "notes", "--no-upload").events[0]["live"] is False
    with alice.sharing(notes):
        assert alice.run("switch", "notes").events[0]["live"] is True
