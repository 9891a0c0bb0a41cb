"""Stores to keep drives in, alone and joined."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.hyperdrive import Drive
from holdfast.store import Store
from tests.support.links import joined


@pytest.fixture(params=["memory", "disk"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of our own."""
    where = None if request.param == "memory" else tmp_path / "store"
    async with await Store.open(where, durability="process") as opened:
        yield opened


@pytest.fixture
async def drive(store: Store) -> AsyncIterator[Drive]:
    """A drive of our own: a public one in memory, a private one on disk."""
    secret = None if store.storage.directory is None else bytes(range(32))
    async with Drive(store, encryption_key=secret) as opened:
        yield opened


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Store, Store]]:
    """Two stores with a connection."""
    async with await Store.open(None) as here, await Store.open(None) as there:
        joined(here, there)
        yield here, there
