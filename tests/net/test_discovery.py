from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from holdfast.errors import PeerUnreachable
from holdfast.net.swarm import discovery
from holdfast.net.swarm.candidate import Candidate, Found
from holdfast.net.swarm.discovery import Discovery
from tests.net.swarm_sides import Board, BoardFinder, until

TOPIC, KEY = b"t" * 32, b"k" * 32


class Shelf:
    """A directory in memory that counts, fails on demand, and can be slow."""

    def __init__(self) -> None:
        self.held: set[bytes] = set()
        self.asked: list[str] = []
        self.broken = False
        self.open = asyncio.Event()
        self.open.set()

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        await self.open.wait()
        if self.broken:
            raise PeerUnreachable("Nobody answers.")

    async def announce(self, topic: bytes) -> None:
        await self._ask("announce")
        self.held.add(topic)

    async def unannounce(self, topic: bytes) -> None:
        await self._ask("unannounce")
        self.held.discard(topic)

    async def lookup(self, topic: bytes, found: Found) -> None:
        await self._ask("lookup")
        found(Candidate(KEY))


@asynccontextmanager
async def made(shelf: Shelf, **options: Any) -> AsyncIterator[tuple[Discovery, list[Candidate]]]:
    found: list[Candidate] = []
    options = {"finders": (), "hungry": lambda: False, **options}
    one = Discovery(TOPIC, directory=shelf, found=found.append, random=lambda: 0.0, **options)
    try:
        yield one, found
    finally:
        shelf.open.set()
        await one.close()


async def test_nothing_is_asked_before_something_is_wanted() -> None:
    shelf = Shelf()
    async with made(shelf) as (one, _):
        await asyncio.sleep(0)
        assert shelf.asked == []
        one.change(announce=False, lookup=False)
        await asyncio.sleep(0)
    assert shelf.asked == []


async def test_flushed_means_announced_and_looked_up() -> None:
    shelf = Shelf()
    async with made(shelf) as (one, found):
        shelf.open.clear()
        one.change(announce=True, lookup=True)
        waiting = asyncio.ensure_future(one.flushed())
        await until(lambda: sorted(shelf.asked) == ["announce", "lookup"])
        assert not waiting.done()
        shelf.open.set()
        assert await waiting
        assert shelf.held == {TOPIC} and found == [Candidate(KEY)]
    assert shelf.held == set()


async def test_what_is_wanted_no_more_is_taken_back() -> None:
    shelf = Shelf()
    async with made(shelf) as (one, _):
        one.change(announce=True, lookup=False)
        assert await one.flushed()
        one.change(announce=False, lookup=True)
        assert await one.flushed()
        assert shelf.asked[0] == "announce" and sorted(shelf.asked[1:]) == ["lookup", "unannounce"]
    assert shelf.asked.count("unannounce") == 1


async def test_a_change_in_mid_round_is_not_lost() -> None:
    shelf = Shelf()
    async with made(shelf) as (one, _):
        shelf.open.clear()
        one.change(announce=False, lookup=True)
        await until(lambda: shelf.asked == ["lookup"])
        one.change(announce=True, lookup=True)
        shelf.open.set()
        assert await one.flushed()
        assert shelf.held == {TOPIC}


async def test_a_failure_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "HUNGRY", (0.001,))
    shelf = Shelf()
    async with made(shelf) as (one, _):
        shelf.broken = True
        one.change(announce=True, lookup=False)
        assert not await one.flushed()
        assert one.error is not None and one.error.message == "Nobody answers."
        shelf.broken = False
        await until(lambda: shelf.held == {TOPIC})
        await until(lambda: one.error is None)


async def test_while_nobody_is_there_it_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "HUNGRY", (0.001,))
    shelf, hungry = Shelf(), [True]
    async with made(shelf, hungry=lambda: hungry[0]) as (one, _):
        one.change(announce=False, lookup=True)
        await until(lambda: len(shelf.asked) > 3)
        hungry[0] = False
        await until(lambda: one._starved == 0)
        rounds = one.rounds
        await asyncio.sleep(0.01)
        assert one.rounds == rounds
        one.starved()
        await until(lambda: one.rounds > rounds)


async def test_a_round_comes_again_without_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "REFRESH", 0.001)
    shelf = Shelf()
    async with made(shelf) as (one, _):
        one.change(announce=True, lookup=False)
        await until(lambda: shelf.asked.count("announce") > 3)


async def test_a_finder_that_breaks_does_not_stop_the_others() -> None:
    class Broken(Shelf):
        async def lookup(self, topic: bytes, found: Callable[[Candidate], None]) -> None:
            raise RuntimeError("a mistake of ours")

    shelf = Broken()
    async with made(shelf) as (one, _):
        one.change(announce=True, lookup=True)
        assert not await one.flushed()
        assert shelf.held == {TOPIC}
        assert one.error is not None and "RuntimeError" in one.error.message


async def test_finders_are_started_and_stopped_with_the_wish() -> None:
    board = Board()
    finder = BoardFinder(board, KEY, list)
    async with made(Shelf(), finders=[finder]) as (one, found):
        one.change(announce=True, lookup=False)
        assert list(board.here[TOPIC]) == [KEY] and board.lookups == 0
        one.change(announce=True, lookup=True)
        assert [each.public_key for each in found] == [KEY]
        one.change(announce=False, lookup=True)
        assert board.here[TOPIC] == {} and len(board.listening[TOPIC]) == 1
    assert board.listening[TOPIC] == []
