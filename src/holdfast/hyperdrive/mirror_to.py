"""From a drive into a folder on disk: whatever its names are, nothing lands outside."""

from __future__ import annotations

import asyncio
import os
import stat
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.errors import DecodeError, PathError
from holdfast.hyperdrive.entry import FileEntry
from holdfast.hyperdrive.mirror import (
    Counter,
    Ignore,
    Mirrored,
    Report,
    ignorer,
    mtime_of,
    plain_error,
)
from holdfast.hyperdrive.paths import check_link, check_names, under
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.same import DiskFile, is_same
from holdfast.hyperdrive.selection import Selection, select
from holdfast.hyperdrive.source import CHUNK
from holdfast.hyperdrive.target import PARTIAL, OutFile, Target

if TYPE_CHECKING:
    from holdfast.hyperdrive.view import DriveView

WORKERS = 8
"""Files written at a time: they share the syncs of the disk and the delay of the network."""

_T = TypeVar("_T")


async def mirror_to(
    view: DriveView,
    top: Path,
    folder: str = "/",
    *,
    prune: bool = False,
    ignore: Ignore | None = None,
    resume: bool = True,
    progress: Report | None = None,
    durable: bool = True,
    timeout: float | None = None,
    case_sensitive: bool | None = None,
) -> Mirrored:
    """Write what is in a folder of the drive (or one file) into the folder ``top``.

    Each file appears whole and durable, or not at all. With ``resume`` files that are there already
    are left alone: same size and recorded time, or the same bytes. ``prune`` removes what the drive
    does not have. Names that could lead outside, cannot be written here, or would replace one
    another are refused one by one and reported in the result. Symbolic links on disk are never
    followed; those of the drive are made only when they stay inside. Raises `DiskFullError`,
    `NotFoundError`, `BlockNotAvailable` (after ``timeout`` seconds without a block).
    """
    source = await select(view, folder)
    pool = ThreadPoolExecutor(WORKERS, "holdfast-mirror")
    target: Target | None = None
    try:
        target = await asyncio.get_running_loop().run_in_executor(pool, Target, top)
        outlet = _Outlet(source, target, pool, Counter(progress), resume, durable, timeout)
        outlet.ignored = ignorer(ignore)
        outlet.cases = target.case_sensitive if case_sensitive is None else case_sensitive
        if progress is not None:
            await outlet.count()
        if prune:
            await outlet.prune()
        await outlet.write_all()
        if durable:
            await outlet.run(target.sync_folders)
    finally:
        pool.shutdown()  # nothing runs in it any more, see `_Outlet.run`
        if target is not None:
            target.close()
    outlet.counter.result.refused.sort(key=lambda refused: refused.path)
    return outlet.counter.result


class _Outlet:
    ignored: Callable[[str], bool]
    cases: bool

    def __init__(
        self,
        source: Selection,
        target: Target,
        pool: ThreadPoolExecutor,
        counter: Counter,
        resume: bool,
        durable: bool,
        timeout: float | None,
    ) -> None:
        self.counter = counter
        self._source = source
        self._view = source.view
        self._target = target
        self._pool = pool
        self._resume = resume
        self._durable = durable
        self._timeout = timeout
        self._taken: dict[str, str] = {}

    async def run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run in a thread; when cancelled, the thread is out of it before this returns."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    async def count(self) -> None:
        """Learn how much there is to do."""
        async for entry in self._source.entries(self.ignored):
            self.counter.total_files += 1
            self.counter.total_bytes += entry.size or 0

    # ---------------------------------------------------------------- removing

    async def prune(self) -> None:
        """Remove files that the drive does not have, and folders that this leaves empty."""
        for names, is_folder in await self.run(lambda: list(self._target.walk())):
            path = "/" + "/".join(names)
            if self.ignored(path):
                continue
            if is_folder:
                await self.run(self._target.remove_folder, names)
            elif not await self._in_drive(path):
                await self.run(self._target.remove, names)
                self.counter.result.removed += 1

    async def _in_drive(self, path: str) -> bool:
        try:
            entry = await self._view.entry(self._source.top + path)
        except (PathError, UnicodeEncodeError):
            return False
        if self._source.single is not None and entry != self._source.single:
            return True  # only one file is mirrored: the others are none of our business
        return entry is not None

    # ---------------------------------------------------------------- writing

    async def write_all(self) -> None:
        """Write every entry, some at a time."""
        queue: asyncio.Queue[FileEntry | None] = asyncio.Queue(WORKERS)

        async def feed() -> None:
            async for entry in self._source.entries(self.ignored):
                await queue.put(entry)
            for _ in range(WORKERS):
                await queue.put(None)

        async def work() -> None:
            while (entry := await queue.get()) is not None:
                await self._take(entry)

        tasks = [
            asyncio.create_task(feed()),
            *(asyncio.create_task(work()) for _ in range(WORKERS)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, entry: FileEntry) -> None:
        path = entry.path[len(self._source.top) :]
        try:
            names = check_names(path)
            if any(name.startswith(PARTIAL) for name in names):
                raise PathError(f"{path!r} has a name that unfinished files have.")
            self._refuse_twins(path)
            if entry.linkname is not None:
                await self._take_link(names, entry)
            else:
                await self._take_file(names, entry)
        except (PathError, DecodeError) as error:
            self.counter.refuse(entry.path, error)
        except OSError as error:
            plain = plain_error(entry.path, error)
            if not isinstance(plain, PathError):
                raise plain from error
            self.counter.refuse(entry.path, plain)
        self.counter.advance(entry.path, files=1)

    def _refuse_twins(self, path: str) -> None:
        """On a disk that takes names for equal, the first one has it."""
        if not self.cases:
            folded = unicodedata.normalize("NFC", path).casefold()
            first = self._taken.setdefault(folded, path)
            if first != path:
                raise PathError(f"{path!r} and {first!r} are one name on this disk.")

    async def _take_link(self, names: list[str], entry: FileEntry) -> None:
        link = await self._link_text(names, entry)
        status = await self.run(self._target.status, names)
        is_link = status is not None and stat.S_ISLNK(status.st_mode)
        if is_link and await self.run(self._target.read_link, names) == link:
            self.counter.result.unchanged += 1
            return
        await self.run(self._target.link, names, link)
        self._note(status, 0)

    async def _link_text(self, names: list[str], entry: FileEntry) -> str:
        """What to write for a link; absolute names mean places of the drive. `PathError`."""
        link, top = entry.linkname or "", self._source.top
        if link.startswith("/"):
            target = folder_path(link)
            if target == top or not under(target, top) or not await self._is_there(target):
                raise PathError(f"The link {entry.path!r} leads out of the folder, to {link!r}.")
            link = "../" * (len(names) - 1) + target[len(top) + 1 :]
        check_link(entry.path, len(names) - 1, link)
        return link

    async def _is_there(self, path: str) -> bool:
        if await self._view.entry(path) is not None:
            return True
        async for _ in self._view.list(path):
            return True
        return False

    async def _take_file(self, names: list[str], entry: FileEntry) -> None:
        status = None if self._target.empty else await self.run(self._target.status, names)
        size = await self._view.size(entry, timeout=self._timeout)
        if status is not None and self._resume:
            file = DiskFile(self._target, names, status, self.run)
            if await is_same(self._view, entry, size, file):
                self.counter.result.unchanged += 1
                self.counter.advance(entry.path, size)
                return
        if size <= CHUNK:
            content = await self._view.get(entry, timeout=self._timeout)
            await self.run(self._write_small, names, entry, content)
            self.counter.advance(entry.path, size)
        else:
            await self._write_big(names, entry)
        self._note(status, size)

    def _write_small(self, names: list[str], entry: FileEntry, content: bytes) -> None:
        out = self._target.create(names, executable=entry.executable)
        try:
            out.write([content[at : at + 65536] for at in range(0, len(content), 65536)])
            out.finish(mtime_of(entry.metadata), self._durable)
        except BaseException:
            out.abandon()
            raise

    async def _write_big(self, names: list[str], entry: FileEntry) -> None:
        out: OutFile | None = None

        def begin() -> None:
            nonlocal out
            out = self._target.create(names, executable=entry.executable)

        try:
            await self.run(begin)
            assert out is not None
            await self._pour(entry, out)
            await self.run(out.finish, mtime_of(entry.metadata), self._durable)
        except BaseException:
            if out is not None:
                await asyncio.shield(self.run(out.abandon))
            raise

    async def _pour(self, entry: FileEntry, out: OutFile) -> None:
        pieces: list[bytes] = []
        have = 0
        writing: asyncio.Future[None] | None = None
        try:
            async for piece in self._view.read_stream(entry, timeout=self._timeout):
                pieces.append(piece)
                have += len(piece)
                if have >= CHUNK:
                    if writing is not None:
                        await writing
                    writing = asyncio.ensure_future(self.run(out.write, pieces))
                    self.counter.advance(entry.path, have)
                    pieces, have = [], 0
        finally:
            if writing is not None:  # the thread must be out of the file
                await asyncio.wait([writing])
        if writing is not None:
            writing.result()
        await self.run(out.write, pieces)
        self.counter.advance(entry.path, have)

    def _note(self, status: os.stat_result | None, size: int) -> None:
        result = self.counter.result
        if status is None:
            result.added += 1
        else:
            result.changed += 1
        result.bytes += size
