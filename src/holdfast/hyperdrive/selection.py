"""What of a drive is to be written to a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from holdfast.errors import NotFoundError
from holdfast.hyperdrive.entry import FileEntry
from holdfast.hyperdrive.paths import folder as folder_path

if TYPE_CHECKING:
    from holdfast.hyperdrive.view import DriveView


class Selection:
    """What of a drive is to be written."""

    def __init__(self, view: DriveView, top: str, single: FileEntry | None) -> None:
        self.view = view
        self.top = top
        self.single = single

    async def entries(self, ignored: Callable[[str], bool]) -> AsyncIterator[FileEntry]:
        """Its files and links, without those to be left out."""
        if self.single is not None:
            yield self.single
            return
        async for entry in self.view.list(self.top):
            if not ignored(entry.path[len(self.top) :]):
                yield entry


async def select(view: DriveView, folder: str) -> Selection:
    """A folder of the present version, or one file; `NotFoundError`."""
    fixed = view.checkout(view.version)
    top = folder_path(folder)
    single = await fixed.entry(top) if top else None
    if single is not None:
        return Selection(fixed, top.rpartition("/")[0], single)
    async for _ in fixed.list(top):
        return Selection(fixed, top, None)
    if top:
        raise NotFoundError(f"There is nothing under {top} in this version of the drive.")
    return Selection(fixed, top, None)
