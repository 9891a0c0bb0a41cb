"""Logs to stand on: in memory, and those of a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.store import Store
from tests.support.links import joined
from tests.support.memory_core import MemoryCore


@pytest.fixture(params=["memory", "store"])
async def core(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A log of our own."""
    if request.param == "memory":
        yield MemoryCore()
        return
    async with await Store.open(None) as store:
        yield store.core(name="bee")


@pytest.fixture(params=["memory", "store"])
async def cores(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Any, Any]]:
    """A log of our own, and a sparse copy of it on another machine."""
    if request.param == "memory":
        own = MemoryCore()
        yield own, MemoryCore(source=own)
        return
    async with await Store.open(None) as here, await Store.open(None) as there:
        joined(here, there)
        own = here.core(name="bee")
        yield own, there.core(key=own.key)
