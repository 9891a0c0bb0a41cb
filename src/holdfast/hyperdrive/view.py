"""Looking at a drive: its newest version, or one that is fixed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from holdfast.hyperdrive.blobs import Blobs
from holdfast.hyperdrive.entry import FileEntry, file_entry
from holdfast.hyperdrive.file import DriveFile
from holdfast.hyperdrive.mirror import Ignore, Mirrored, Report
from holdfast.hyperdrive.mirror_to import mirror_to
from holdfast.hyperdrive.names import Names
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.records import FileChange, LogEntry, Name, change, inside, path_of

DOWNLOAD_AT_ONCE = 256
"""Neighbouring blocks joined into one range; more would wait for the listing to end."""


class DriveView(Names):
    """Reads a drive: names (see `Names`), contents and versions."""

    # ---------------------------------------------------------------- contents

    async def get(self, name: Name, *, wait: bool = True, timeout: float | None = None) -> bytes:
        """The content of a file, following links. Raises `NotFoundError`."""
        found = await self._content(name, wait, timeout)
        if found.blob is None:
            return b""
        blobs = await self.blobs(wait=wait, timeout=timeout)
        return await blobs.get(found.blob, wait=wait, timeout=timeout)

    async def read_stream(
        self,
        name: Name,
        start: int = 0,
        *,
        length: int | None = None,
        end: int | None = None,
        wait: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[bytes]:
        """A file from byte ``start`` on (``length`` bytes, or up to but not with byte ``end``).

        Fetches just ahead of the reader, and nothing more when the reader stops. Raises
        `NotFoundError`.
        """
        found = await self._content(name, wait, timeout)
        if found.blob is None:
            return
        blobs = await self.blobs(wait=wait, timeout=timeout)
        stop = end if length is None else start + length
        async for chunk in blobs.chunks(found.blob, start, stop, wait=wait, timeout=timeout):
            yield chunk

    async def open(self, name: Name, *, timeout: float | None = None) -> DriveFile:
        """A file to read and seek in, following links: ``async with await drive.open(path) as f``.

        Raises `NotFoundError`.
        """
        found = await self._content(name, True, timeout)
        blobs = await self.blobs(timeout=timeout)
        size = await self.size(found, timeout=timeout)
        return DriveFile(blobs, found, size, timeout=timeout)

    async def has(self, name: Name = "/") -> bool:
        """Whether the content of a file, or of all files in a folder, is on this machine."""
        blobs = await self.blobs()
        found = await self._entry_or_none(name)
        if found is not None:
            return found.blob is None or await blobs.has(found.blob)
        any_there = False
        async for entry in self.list(path_of(name)):
            any_there = True
            if entry.blob is not None and not await blobs.has(entry.blob):
                return False
        return any_there

    async def download(self, name: Name = "/") -> int:
        """Fetch a file, or everything in a folder; returns once it is here, the number of files."""
        blobs = await self.blobs()
        found = await self._entry_or_none(name)
        entries = _one(found) if found is not None else self.list(path_of(name))
        downloads: list[Any] = []
        count = 0
        last = (0, 0)
        try:
            async for entry in entries:
                count += 1
                if entry.blob is None:
                    continue
                for start, end in await blobs.ranges(entry.blob):
                    if start == last[1] and end - last[0] <= DOWNLOAD_AT_ONCE:
                        last = (last[0], end)
                        continue
                    _begin(blobs, last, downloads)
                    last = (start, end)
            _begin(blobs, last, downloads)
            for download in downloads:
                await download.done()
        finally:
            for download in downloads:
                download.close()
        return count

    async def _entry_or_none(self, name: Name) -> FileEntry | None:
        if isinstance(name, FileEntry):
            return name
        return await self.entry(name) if folder_path(name) else None

    async def mirror_to(
        self,
        directory: Path | str,
        folder: str = "/",
        *,
        prune: bool = False,
        ignore: Ignore | None = None,
        resume: bool = True,
        progress: Report | None = None,
        durable: bool = True,
        timeout: float | None = None,
    ) -> Mirrored:
        """Write a folder or file of the drive into a folder on disk; see `mirror_to.mirror_to`."""
        return await mirror_to(
            self,
            Path(directory),
            folder,
            prune=prune,
            ignore=ignore,
            resume=resume,
            progress=progress,
            durable=durable,
            timeout=timeout,
        )

    # ---------------------------------------------------------------- versions

    def checkout(self, version: int) -> DriveView:
        """The drive as it was at a version; read only."""
        return DriveView(self._state, self._bee.checkout(version))

    async def diff(
        self, other: int | DriveView, folder: str = "/", **options: Any
    ) -> AsyncIterator[FileChange]:
        """Paths in a folder that differ from another version, in their order."""
        past = other if isinstance(other, int) else other._files
        bounds = inside(folder_path(folder))
        async for found in self._files.diff(past, **bounds, **options):
            yield change(found)

    async def log(
        self, folder: str = "/", *, reverse: bool = False, limit: int = -1, live: bool = False
    ) -> AsyncIterator[LogEntry]:
        """What was put and deleted, in the order it happened; ``live`` goes on as it happens."""
        top = folder_path(folder)
        async for step in self._files.history(reverse=reverse, live=live):
            if not step.key.startswith(top + "/"):
                continue
            if limit == 0:
                return
            limit -= 1
            entry = None
            if step.kind == "put" and step.value is not None:
                entry = file_entry(step.key, step.seq, step.value)
            yield LogEntry(step.seq + 1, step.kind, step.key, entry)


def _begin(blobs: Blobs, blocks: tuple[int, int], downloads: list[Any]) -> None:
    if blocks[1] > blocks[0] and not blobs.core.has(*blocks):
        downloads.append(blobs.core.download(*blocks))


async def _one(entry: FileEntry) -> AsyncIterator[FileEntry]:
    yield entry
