"""Getters that are killed, sharers that go away, wires that are cut: at any byte."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.running import Running
from tests.e2e.machines import Machine, Shared, tree
from tests.e2e.proxy import Wire, wire

pytestmark = pytest.mark.e2e

SIZE = 12_000_000


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A large file with some small ones beside it."""
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(os.urandom(SIZE))
    for number in range(20):
        (folder / f"{number}.txt").write_bytes(os.urandom(number * 100))
    return folder


@contextmanager
def shared_over_wire(alice: Machine, film: Path) -> Iterator[tuple[Shared, str, Wire]]:
    """A shared drive, a link that names nobody, and the only way to the sharer."""
    with alice.sharing(film) as shared, wire(shared.event["listen"][0]) as line:
        head, _, secret = shared.link.partition("#")
        yield shared, f"{head.partition('?')[0]}#{secret}", line


@contextmanager
def held_up(bob: Machine, link: str, line: Wire, after: int, *options: str) -> Iterator[Running]:
    """A getter whose wire stands still after so many bytes."""
    line.hold(after)
    with bob.start("get", *options, "--peer", line.address, link, bob.home / "dest") as getter:
        assert line.held.wait(60), getter.seen
        yield getter


def test_killed_at_any_byte_it_goes_on_where_it_stopped(
    alice: Machine, bob: Machine, film: Path
) -> None:
    chance, dest = random.Random(os.environ.get("HOLDFAST_SEED", 7)), bob.home / "dest"
    with shared_over_wire(alice, film) as (_, link, line):
        for _ in range(5):
            with held_up(bob, link, line, chance.randrange(1, SIZE // 5)) as getter:
                getter.process.send_signal(signal.SIGKILL)
                getter.process.wait(30)
            for name, found in tree(dest).items():
                if "/.holdfast-" not in name:
                    assert found == tree(film)[name.removeprefix("films/")], "whole or not there"
        line.hold_after = None
        got = bob.run("get", "--peer", line.address, link, dest)
        assert got.status == 0, got.err
        assert tree(dest / "films") == tree(film)
        # Each kill costs what was on its way and not yet written, not what was there before.
        assert line.carried < 1.5 * SIZE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_by_its_user_it_ends_with_130(
    alice: Machine, bob: Machine, film: Path, number: signal.Signals
) -> None:
    with shared_over_wire(alice, film) as (_, link, line):
        with held_up(bob, link, line, SIZE // 2) as getter:
            assert getter.stop(number) == 130
            assert getter.errors() == ""
        line.hold_after = None
        assert bob.run("get", "--peer", line.address, link, bob.home / "dest").status == 0


def test_a_sharer_that_comes_back_is_found_again(alice: Machine, bob: Machine, film: Path) -> None:
    with shared_over_wire(alice, film) as (shared, link, line):
        address = shared.event["listen"][0]
        with held_up(bob, link, line, SIZE // 2) as getter:
            shared.process.process.kill()
            shared.process.process.wait(30)
            line.hang_up()
            assert "to come back" in getter.event("waiting")["for"]
            with alice.start("share", "--listen", address, film):
                getter.event("done")
                assert getter.process.wait(30) == 0
    assert tree(bob.home / "dest" / "films") == tree(film)


def test_a_sharer_that_stays_away_is_an_error_that_says_what_is_kept(
    alice: Machine, bob: Machine, film: Path
) -> None:
    with (
        shared_over_wire(alice, film) as (_, link, line),
        held_up(bob, link, line, SIZE // 2, "--timeout", "2") as getter,
    ):
        line.cut()
        assert getter.process.wait(30) == 31
        said = getter.errors()
        assert "could not be made again" in said and "bytes are kept" in said
        assert "goes on where it stopped" in said
    with alice.sharing(film) as shared:
        assert bob.run("get", shared.link, bob.home / "dest").events[-1]["received"] < 0.8 * SIZE
    assert tree(bob.home / "dest" / "films") == tree(film)


def test_a_sharer_that_falls_silent_is_an_error_too(
    alice: Machine, bob: Machine, film: Path
) -> None:
    with (
        shared_over_wire(alice, film) as (_, link, line),
        held_up(bob, link, line, SIZE // 2, "--timeout", "2") as getter,
    ):
        assert getter.event("waiting")["for"] == "somebody who has the rest"
        assert getter.process.wait(30) == 32
        assert "bytes are kept" in getter.errors()
