"""Being told which files change."""

from __future__ import annotations

from collections.abc import AsyncIterator

from holdfast.errors import BlockNotAvailable
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.records import FileChange, change, inside
from holdfast.hyperdrive.state import FILES, State


def watch(state: State, folder: str) -> AsyncIterator[FileChange]:
    """Changes in a folder from this call on; those made while the reader is busy come together.

    When the writer took versions back, everything that is left is told anew.
    """
    files = state.bee.sub(FILES)
    bounds = inside(folder_path(folder))
    steps = files.watch(**bounds)

    async def follow() -> AsyncIterator[FileChange]:
        async for now, before in steps:
            try:
                async for found in now.diff(before, **bounds):
                    yield change(found)
            except BlockNotAvailable:
                if now.intact and before.intact:
                    raise
                if not now.intact:
                    continue  # the next step tells what is left
                async for found in now.diff(1, **bounds):
                    yield change(found)

    return follow()
