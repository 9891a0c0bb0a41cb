"""From a folder on disk into a drive: only what changed is stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import BlockNotAvailable, DamagedError, NotFoundError, PathError
from holdfast.hyperdrive.batch import DriveBatch
from holdfast.hyperdrive.entry import FileEntry
from holdfast.hyperdrive.mirror import (
    Counter,
    Ignore,
    Mirrored,
    Refused,
    Report,
    ignorer,
    mtime_metadata,
    mtime_of,
    plain_error,
)
from holdfast.hyperdrive.paths import check_names
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.same import same_bytes
from holdfast.hyperdrive.source import BLOCK
from holdfast.hyperdrive.walk import Found, exists, open_file, read_small, unchanged_since, walk

if TYPE_CHECKING:
    from holdfast.hyperdrive.drive import Drive

GROUP = 64
"""Files looked at in one go."""
BATCH_FILES = 512
BATCH_BYTES = 64 << 20
"""After so many files or bytes the names so far become visible: what an interruption can cost."""
FRESH = 50_000_000
"""Nanoseconds. A file changed less than this ago may change again without a new time."""


async def mirror_from(
    drive: Drive,
    top: Path,
    folder: str = "/",
    *,
    prune: bool = True,
    ignore: Ignore | None = None,
    progress: Report | None = None,
    durable: bool | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Mirrored:
    """Make a folder of the drive equal to the folder ``top``.

    A file is stored unless the drive has it already: the same size and recorded time, or the same
    bytes. Links are stored as links. ``prune`` removes names that are not on disk. Files that
    cannot be stored (unfit names, unreadable, changing) are reported in the result. Can be run
    again after an interruption and goes on where it was. Raises `NotFoundError`, `DiskFullError`,
    `NotWritableError`.
    """
    if not await asyncio.to_thread(top.is_dir):
        raise NotFoundError(f"There is no folder {top}.")
    intake = _Intake(drive, top, folder_path(folder), Counter(progress), durable, clock)
    ignored = ignorer(ignore)
    try:
        if progress is not None:
            await intake.count(ignored)
        if prune:
            await intake.prune(ignored)
        async for group in _groups(walk(top, ignored)):
            await intake.take(group)
        await intake.flush()
    finally:
        await intake.close()
    return intake.counter.result


async def _groups(items: Iterator[Any]) -> AsyncIterator[list[Any]]:
    """Items in groups, made in a thread, one group ahead."""

    def some() -> list[Any]:
        return list(islice(items, GROUP))

    pending = asyncio.ensure_future(asyncio.to_thread(some))
    try:
        while group := await asyncio.shield(pending):
            pending = asyncio.ensure_future(asyncio.to_thread(some))
            yield group
    finally:
        await asyncio.wait([pending])


class _Intake:
    def __init__(
        self,
        drive: Drive,
        top: Path,
        folder: str,
        counter: Counter,
        durable: bool | None,
        clock: Callable[[], int],
    ) -> None:
        self.counter = counter
        self._drive = drive
        self._top = top
        self._folder = folder
        self._durable = durable
        self._clock = clock
        self._batch: DriveBatch | None = None
        self._files = 0
        self._bytes = 0

    # ---------------------------------------------------------------- batches

    def _open(self) -> DriveBatch:
        if self._batch is None:
            self._batch = self._drive.batch(durable=self._durable)
        return self._batch

    async def _stored(self, size: int) -> None:
        self._files += 1
        self._bytes += size
        if self._files >= BATCH_FILES or self._bytes >= BATCH_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Make what was taken visible."""
        batch, self._batch = self._batch, None
        self._files = self._bytes = 0
        if batch is not None:
            await batch.flush()

    async def close(self) -> None:
        """Drop what was not flushed."""
        if self._batch is not None:
            await self._batch.close()

    # ---------------------------------------------------------------- steps

    async def count(self, ignored: Callable[[str], bool]) -> None:
        """Learn how much there is to do."""

        def add_up() -> tuple[int, int]:
            sizes = [one.size for one in walk(self._top, ignored) if isinstance(one, Found)]
            return len(sizes), sum(sizes)

        self.counter.total_files, self.counter.total_bytes = await asyncio.to_thread(add_up)

    async def prune(self, ignored: Callable[[str], bool]) -> None:
        """Remove names that are not on disk any more."""
        skip = len(self._folder)
        view = self._drive.checkout(self._drive.version)
        paths: list[str] = []
        async for entry in view.list(self._folder):
            if not ignored(entry.path[skip:]):
                paths.append(entry.path)
            if len(paths) >= 4 * GROUP:
                await self._remove_gone(paths)
                paths = []
        await self._remove_gone(paths)

    async def _remove_gone(self, paths: list[str]) -> None:
        skip = len(self._folder)

        def gone() -> list[str]:
            return [path for path in paths if not exists(self._top, path[skip:])]

        for path in await asyncio.to_thread(gone):
            await self._open().delete(path)
            self.counter.result.removed += 1
            await self._stored(0)

    async def take(self, group: list[Found | Refused]) -> None:
        """Store those of some files that the drive does not have."""
        small: list[tuple[Found, FileEntry | None]] = []
        for one in group:
            if isinstance(one, Refused):
                self.counter.refuse(*one)
                continue
            try:
                check_names(one.path)
                known = await self._drive.entry(self._folder + one.path)
                if one.link is not None:
                    await self._take_link(one, known)
                elif await self._is_known(one, known):
                    self.counter.result.unchanged += 1
                    self.counter.advance(one.path, one.size, files=1)
                elif one.size <= BLOCK:
                    small.append((one, known))
                else:
                    await self._take_big(one, known)
            except PathError as error:
                self.counter.refuse(one.path, error)
            except OSError as error:
                self.counter.refuse(one.path, plain_error(one.path, error))
        await self._take_small(small)

    async def _take_link(self, one: Found, known: FileEntry | None) -> None:
        assert one.link is not None
        if known is not None and known.linkname == one.link:
            self.counter.result.unchanged += 1
        else:
            await self._open().symlink(self._folder + one.path, _text(one.link))
            self._note(known, 0)
            await self._stored(0)
        self.counter.advance(one.path, files=1)

    async def _take_small(self, files: list[tuple[Found, FileEntry | None]]) -> None:
        some = [one for one, _ in files]
        contents = await asyncio.to_thread(read_small, self._top, some) if some else []
        for (one, known), content in zip(files, contents, strict=True):
            if isinstance(content, OSError):
                self.counter.refuse(one.path, plain_error(one.path, content))
                continue
            await self._open().put(
                self._folder + one.path,
                content,
                executable=one.executable,
                metadata=self._metadata(one),
            )
            self._note(known, one.size)
            self.counter.advance(one.path, one.size, files=1)
            await self._stored(one.size)

    async def _take_big(self, one: Found, known: FileEntry | None) -> None:
        seen = 0

        def progress(size: int) -> None:
            nonlocal seen
            self.counter.advance(one.path, size - seen)
            seen = size

        with await asyncio.to_thread(open_file, self._top, one.path) as file:
            await self._open().put(
                self._folder + one.path,
                file,
                executable=one.executable,
                metadata=self._metadata(one),
                progress=progress,
            )
            steady = unchanged_since(file, one)
        if not steady:  # keep what was read, and look at it again next time
            entry = await self._open().entry(self._folder + one.path)
            assert entry is not None
            await self._open().put_entry(entry.path, entry.value._replace(metadata=None))
        self._note(known, one.size)
        self.counter.advance(one.path, files=1)
        await self._stored(one.size)

    def _note(self, known: FileEntry | None, size: int) -> None:
        result = self.counter.result
        if known is None:
            result.added += 1
        else:
            result.changed += 1
        result.bytes += size

    def _metadata(self, one: Found) -> dict[str, Any] | None:
        """The time of a file, unless it could change again within a tick of the disk's clock."""
        coarse = one.mtime % 1_000_000_000 == 0
        age = self._clock() - one.mtime
        return (
            None if 0 <= age < (2_000_000_000 if coarse else FRESH) else mtime_metadata(one.mtime)
        )

    # ---------------------------------------------------------------- comparing

    async def _is_known(self, one: Found, known: FileEntry | None) -> bool:
        if known is None or known.linkname is not None or known.executable != one.executable:
            return False
        if await self._drive.size(known) != one.size:
            return False
        recorded = mtime_of(known.metadata)
        if recorded is not None and recorded == one.mtime // 1000 * 1000:
            return True
        return await self._same_bytes(one, known)

    async def _same_bytes(self, one: Found, known: FileEntry) -> bool:
        file = await asyncio.to_thread(open_file, self._top, one.path)
        try:
            return await same_bytes(self._drive, known, file, asyncio.to_thread, wait=False)
        except (BlockNotAvailable, DamagedError):
            return False


def _text(link: str) -> str:
    try:
        link.encode()
    except UnicodeEncodeError:
        raise PathError(f"The link to {link!r} is not text.") from None
    return link
