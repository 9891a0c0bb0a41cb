"""Pairs of peers: which side writes, which side reads, and which of them dials."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.js_side import JsSide
from tests.interop.peer import JsPeer, missing_peers, peers_required
from tests.interop.py_side import PySide
from tests.interop.sides import Side
from tests.interop.sizes import size

MakeSide = Callable[[str], Awaitable[Side]]

# "js-js" proves the tests themselves; the default is what Holdfast promises.
DIRECTIONS = os.environ.get("HOLDFAST_INTEROP_PAIRS", "py-js,js-py").split(",")

DEADLINE = size(60, 300)
"""Seconds for one case: waiting for ever is the usual way in which two protocols disagree."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.interop)
            item.add_marker(pytest.mark.timeout(DEADLINE + 30))
            item.obj = _within_deadline(item.obj)


def _within_deadline(case: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(case)
    async def run(**fixtures: Any) -> None:
        async with asyncio.timeout(DEADLINE):
            await case(**fixtures)

    return run


@pytest.fixture(autouse=True)
def _peers_here() -> None:
    reason = missing_peers()
    if reason is None:
        return
    if peers_required():
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
async def make_side(tmp_path: Path) -> AsyncIterator[MakeSide]:
    """A factory of sides by kind, "js" or "py"; all are closed at the end, the last one first."""
    async with AsyncExitStack() as stack:
        made = 0

        async def make(kind: str) -> Side:
            nonlocal made
            made += 1
            directory = tmp_path / f"{kind}-{made}"
            if kind == "js":
                peer = await JsPeer.start(directory)
                stack.push_async_callback(peer.stop)
                return JsSide(peer)
            return await stack.enter_async_context(PySide.open(directory))

        yield make


@dataclass
class Pair:
    """Two sides that can be connected, in the role that the test's parameter says."""

    source: Side
    reader: Side
    dialler: str

    async def connect(self) -> None:
        """One connection between the two."""
        if self.dialler == "reader":
            await self.reader.dial(await self.source.listen())
        else:
            await self.source.dial(await self.reader.listen())


@pytest.fixture(params=DIRECTIONS)
def direction(request: pytest.FixtureRequest) -> tuple[str, str]:
    """(kind of the source, kind of the reader)."""
    source, reader = request.param.split("-")
    return source, reader


@pytest.fixture(params=["reader-dials", "source-dials"])
def dialler(request: pytest.FixtureRequest) -> str:
    """Which of the two opens the connection."""
    return str(request.param).removesuffix("-dials")


@pytest.fixture
async def pair(make_side: MakeSide, direction: tuple[str, str], dialler: str) -> Pair:
    """A source and a reader, not yet connected: every direction in every role."""
    return Pair(await make_side(direction[0]), await make_side(direction[1]), dialler)


@pytest.fixture
async def one_pair(make_side: MakeSide, direction: tuple[str, str]) -> Pair:
    """A source and a reader in every direction, the reader dialling: for heavy cases."""
    return Pair(await make_side(direction[0]), await make_side(direction[1]), "reader")
