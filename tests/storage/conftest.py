"""Both kinds of store for the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from holdfast.storage import DirectoryStorage, MemoryStorage, Storage, checkpoint, open_storage


@pytest.fixture
def open_directory(tmp_path: Path) -> Callable[..., DirectoryStorage]:
    """Opens the test's own directory store (again)."""

    def reopen(name: str = "store", **options: object) -> DirectoryStorage:
        return open_storage(tmp_path / name, state=tmp_path / "state", **options)  # type: ignore[arg-type]

    return reopen


@pytest_asyncio.fixture
async def store(open_directory: Callable[..., DirectoryStorage]) -> AsyncIterator[DirectoryStorage]:
    opened = open_directory()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(params=["memory", "directory", "directory with many checkpoints"])
async def any_store(
    request: pytest.FixtureRequest,
    open_directory: Callable[..., DirectoryStorage],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Storage]:
    if request.param.endswith("checkpoints"):
        monkeypatch.setattr(checkpoint, "MAX_JOURNAL", 0)
        monkeypatch.setattr(checkpoint, "MAX_PENDING", 0)
    opened: Storage = MemoryStorage() if request.param == "memory" else open_directory()
    yield opened
    await opened.close()
