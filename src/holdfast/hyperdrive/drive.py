"""Hyperdrive: files by name, with every version, on a tree of names and a log of contents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any

from holdfast.errors import NotFoundError
from holdfast.hyperbee import Bee
from holdfast.hyperdrive.batch import DriveBatch
from holdfast.hyperdrive.blobs import Stored
from holdfast.hyperdrive.entry import FileEntry
from holdfast.hyperdrive.mirror import Ignore, Mirrored, Report
from holdfast.hyperdrive.mirror_from import mirror_from
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.records import FileChange, Name
from holdfast.hyperdrive.source import Source
from holdfast.hyperdrive.state import open_state
from holdfast.hyperdrive.view import DriveView
from holdfast.hyperdrive.watch import watch
from holdfast.store import Core, Store


class Drive(DriveView):
    """A drive in a store: ours (by ``name``; without one, the store's own) or anybody's by ``key``.

    ``encryption_key`` makes or opens a private drive. ``compat`` makes one of the previous
    generation. All drives opened with the same key in one store share their tree and locks.
    """

    def __init__(
        self,
        store: Store,
        key: bytes | None = None,
        *,
        name: str | None = None,
        encryption_key: bytes | None = None,
        compat: bool = False,
    ) -> None:
        state = open_state(store, key, name, encryption_key, compat)
        super().__init__(state, state.bee)
        self._closed = False

    async def __aenter__(self) -> Drive:
        await self.ready()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def ready(self) -> None:
        """Open the contents log of a drive of our own (for others it is opened at first use)."""
        if self.core.writable:
            await self.blobs()

    @property
    def core(self) -> Core:
        """The log under the tree of names."""
        return self._state.core

    @property
    def bee(self) -> Bee:
        """The tree of names (keys are ``files``, a zero byte, the path)."""
        return self._state.bee

    async def update(self, *, wait: bool = False, timeout: float | None = None) -> bool:
        """Ask for a newer version; see `Core.update`."""
        return await self.core.update(wait=wait, timeout=timeout)

    # ---------------------------------------------------------------- changing

    def batch(self, *, durable: bool | None = None) -> DriveBatch:
        """Many changes that become visible together: ``async with drive.batch() as b``."""
        return DriveBatch(self._state, durable)

    async def put(
        self,
        path: str,
        source: Source,
        *,
        executable: bool = False,
        metadata: Any = None,
        progress: Stored | None = None,
        durable: bool | None = None,
    ) -> None:
        """Store a file: bytes, a `Path`, an open file or an iterator of pieces.

        It becomes visible whole, at the end, or not at all. ``metadata`` is anything JSON can say.
        Raises `PathError` for an unfit name, whatever the source raises, `DiskFullError`,
        `NotWritableError`.
        """
        async with self.batch(durable=durable) as batch:
            await batch.put(
                path, source, executable=executable, metadata=metadata, progress=progress
            )

    async def symlink(
        self, path: str, target: str, *, metadata: Any = None, durable: bool | None = None
    ) -> None:
        """Store a symbolic link; ``target`` is kept as it is."""
        async with self.batch(durable=durable) as batch:
            await batch.symlink(path, target, metadata=metadata)

    async def delete(
        self, path: str, *, recursive: bool = False, durable: bool | None = None
    ) -> int:
        """Remove a file (with ``recursive`` a folder); returns how many, 0 when there was none.

        Older versions keep it.
        """
        async with self.batch(durable=durable) as batch:
            return await batch.delete(path, recursive=recursive)

    async def rename(self, path: str, to: str, *, durable: bool | None = None) -> int:
        """Move a file or folder; contents stay where they are. Returns how many files moved.

        Raises `NotFoundError`; a file at the new name is replaced.
        """
        async with self.batch(durable=durable) as batch:
            return await batch.rename(path, to)

    async def clear(self, name: Name = "/") -> int:
        """Free the disk space of a file, or of all in a folder; returns bytes freed.

        Names and history stay, and contents can be fetched again, as long as somebody has them.
        Raises `NotFoundError`.
        """
        blobs = await self.blobs()
        found = name if isinstance(name, FileEntry) else await self._entry_or_none(name)
        if found is not None:
            return 0 if found.blob is None else await blobs.clear(found.blob)
        freed = count = 0
        path = name if isinstance(name, str) else name.path
        async for entry in self.list(path):
            count += 1
            if entry.blob is not None:
                freed += await blobs.clear(entry.blob)
        if not count and folder_path(path):
            raise NotFoundError(f"There is nothing under {path} in this drive.")
        return freed

    # ---------------------------------------------------------------- watching, mirroring

    def watch(self, folder: str = "/") -> AsyncIterator[FileChange]:
        """Paths in a folder as they change from now on, here or at the writer."""
        return watch(self._state, folder)

    async def mirror_from(
        self,
        directory: Path | str,
        folder: str = "/",
        *,
        prune: bool = True,
        ignore: Ignore | None = None,
        progress: Report | None = None,
        durable: bool | None = None,
    ) -> Mirrored:
        """Make a folder of the drive equal to one on disk; see `mirror_from.mirror_from`."""
        return await mirror_from(
            self,
            Path(directory),
            folder,
            prune=prune,
            ignore=ignore,
            progress=progress,
            durable=durable,
        )

    async def close(self) -> None:
        """Let go of the drive; the last one to do so closes its logs."""
        if not self._closed:
            self._closed = True
            await self._state.close()
