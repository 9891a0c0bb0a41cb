"""Several changes to a drive that become visible in one step."""

from __future__ import annotations

from typing import Any, NamedTuple

from holdfast.errors import NotFoundError, NotWritableError, PathError
from holdfast.hyperdrive.blobs import Stored
from holdfast.hyperdrive.entry import FileEntry, Value, file_entry
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.paths import normalise, storable
from holdfast.hyperdrive.source import BLOCK, CHUNK, Source
from holdfast.hyperdrive.state import FILES, State


class _Small(NamedTuple):
    """A small file that waits to be stored together with others."""

    path: str
    value: Value
    content: bytes


class DriveBatch:
    """Changes that are written by `flush`, or when the block of the batch ends without error.

    Contents go to their log as they come, names at the end: nothing is visible before `flush`.
    The first change of a name takes the write lock of the drive, which is held until `flush` or
    `close`; the end of the contents log is held only while a content is appended (and never
    while waiting for the write lock, so that two batches cannot wait for each other).
    """

    def __init__(self, state: State, durable: bool | None = None) -> None:
        if not state.core.writable:
            raise NotWritableError("This drive belongs to somebody else.")
        self._state = state
        self._durable = durable
        self._names = state.bee.sub(FILES).batch(durable=durable)
        self._small: list[_Small] = []
        self._small_bytes = 0
        self._stored = False

    async def __aenter__(self) -> DriveBatch:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self.flush()
        else:
            await self.close()

    async def put(
        self,
        path: str,
        source: Source,
        *,
        executable: bool = False,
        metadata: Any = None,
        progress: Stored | None = None,
    ) -> None:
        """Store a file; see `Drive.put`."""
        path = storable(path)
        self._stored = True
        if isinstance(source, bytes) and len(source) <= BLOCK:
            self._small.append(_Small(path, Value(executable, None, None, metadata), source))
            self._small_bytes += len(source)
            if self._small_bytes >= CHUNK:
                await self._settle()
            return
        await self._settle()
        blobs = await self._state.blobs()
        blob = await blobs.put(source, progress=progress)
        await self._names.put(path, Value(executable, None, blob, metadata))

    async def put_entry(self, path: str, value: Value) -> None:
        """Set a name to a content that is stored already, or to a link."""
        path = storable(path)
        await self._settle()
        await self._names.put(path, value)

    async def _settle(self) -> None:
        """Store the small files that wait, with one append."""
        if not self._small:
            return
        waiting, self._small = self._small, []
        self._small_bytes = 0
        blobs = await self._state.blobs()
        ids = await blobs.put_small([small.content for small in waiting])
        for (path, value, _), blob in zip(waiting, ids, strict=True):
            await self._names.put(path, value._replace(blob=blob))

    async def symlink(self, path: str, target: str, *, metadata: Any = None) -> None:
        """Store a symbolic link; ``target`` is kept as it is."""
        if not target or "\0" in target:
            raise PathError(f"{target!r} is not a name that a link can have as its target.")
        await self.put_entry(path, Value(linkname=target, metadata=metadata))

    async def entry(self, path: str) -> FileEntry | None:
        """The entry of a path, with the changes of this batch."""
        path = normalise(path)
        await self._settle()
        found = await self._names.get(path)
        return None if found is None else file_entry(path, found.seq, found.value)

    async def delete(self, path: str, *, recursive: bool = False) -> int:
        """Remove a file, or with ``recursive`` also what lies below; returns how many."""
        top = folder_path(path)
        await self._settle()
        count = int(bool(top) and await self._names.delete(top))
        if recursive:
            for below in await self._below(top):
                count += await self._names.delete(below)
        return count

    async def rename(self, path: str, to: str) -> int:
        """Move a file or folder; returns how many moved. Raises `NotFoundError`, `PathError`."""
        top, target = normalise(path), storable(to)
        await self._settle()
        await self._names.lock()
        found = await self._names.get(top)
        if found is not None:
            if top != target:
                await self._names.put(target, found.value)
                await self._names.delete(top)
            return 1
        below = await self._below(top)
        if not below:
            raise NotFoundError(f"There is nothing under {top} in this drive.")
        if (target + "/").startswith(top + "/"):
            raise PathError("A folder cannot be moved into itself.")
        moved = []
        for old in below:
            entry = await self._names.get(old)
            assert entry is not None
            moved.append((storable(target + old[len(top) :]), entry.value))
        # All go before any comes: moving /a/b to /a, a new name may be one that has yet to move.
        for old in below:
            await self._names.delete(old)
        for new, value in moved:
            await self._names.put(new, value)
        return len(moved)

    async def _below(self, top: str) -> list[str]:
        """Paths under a folder, with the changes of this batch."""
        await self._names.lock()
        return [found.key async for found in self._names.iterate(gt=top + "/", lt=top + "0")]

    async def flush(self) -> None:
        """Write everything; nothing is visible when this raises.

        Raises `DiskFullError`, `StaleWriterError`.
        """
        try:
            await self._state.blobs()  # the header of a new drive names its contents
            await self._settle()
            await self._names.flush()
            if self._stored and self._durable is not False:
                self._state.publish()
        finally:
            await self.close()

    async def close(self) -> None:
        """Drop what was not flushed and let others write."""
        self._small = []
        await self._names.close()
