"""A Holdfast drive behind the verbs of `sides`."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from holdfast.errors import NotFoundError
from holdfast.hyperdrive import Drive, DriveView
from holdfast.store import Store
from tests.interop.content import file_chunks
from tests.interop.sides import Entry, Read


class PyView:
    """A version of a drive."""

    def __init__(self, view: DriveView) -> None:
        self._view = view
        self.key = view.key

    async def version(self) -> int:
        return self._view.version

    async def get(self, path: str) -> bytes | None:
        try:
            return await self._view.get(path)
        except NotFoundError:
            return None

    async def read(self, path: str, start: int = 0, length: int = -1) -> Read:
        whole, total = hashlib.sha256(), 0
        wanted = None if length < 0 else length
        async for piece in self._view.read_stream(path, start, length=wanted):
            whole.update(piece)
            total += len(piece)
        return Read(total, whole.hexdigest())

    async def read_many(self, paths: list[str]) -> list[Read]:
        return await asyncio.gather(*(self.read(path) for path in paths))

    async def entry(self, path: str) -> Entry | None:
        found = await self._view.entry(path)
        if found is None:
            return None
        size = found.blob and found.blob.byte_length
        return Entry(found.path, found.executable, found.linkname, size, found.metadata)

    async def paths(self, folder: str = "/") -> list[str]:
        return [entry.path async for entry in self._view.list(folder)]

    async def diff(self, version: int) -> list[str]:
        return [change.path async for change in self._view.diff(version)]

    async def has(self, path: str) -> bool:
        return await self._view.has(path)

    async def download(self, folder: str = "/") -> None:
        await self._view.download(folder)

    async def checkout(self, version: int) -> PyView:
        return PyView(self._view.checkout(version))

    async def mirror_to(self, directory: Path) -> None:
        done = await self._view.mirror_to(directory, prune=True)
        assert not done.refused


class PyDrive(PyView):
    """The newest version of a drive, and changes to it."""

    def __init__(self, drive: Drive) -> None:
        super().__init__(drive)
        self._drive = drive

    @classmethod
    async def open(
        cls, store: Store, name: str | None, key: bytes | None, encryption_key: bytes | None
    ) -> PyDrive:
        drive = Drive(store, key, name=name, encryption_key=encryption_key)
        await drive.ready()
        return cls(drive)

    async def reach(self, version: int) -> None:
        while self._drive.version < version:
            await self._drive.core.next_change()

    async def put(
        self, path: str, data: bytes, *, executable: bool = False, metadata: Any = None
    ) -> None:
        await self._drive.put(path, data, executable=executable, metadata=metadata)

    async def put_pattern(self, path: str, seed: str, size: int) -> None:
        await self._drive.put(path, file_chunks(seed, size))

    async def fill(self, folder: str, seed: str, count: int, size: int) -> None:
        async with self._drive.batch() as batch:
            for i in range(count):
                content = b"".join(file_chunks(f"{seed}/{i}", size))
                await batch.put(f"{folder}/{i:05d}", content)

    async def symlink(self, path: str, target: str) -> None:
        await self._drive.symlink(path, target)

    async def delete(self, path: str) -> None:
        await self._drive.delete(path)

    async def mirror_from(self, directory: Path) -> None:
        done = await self._drive.mirror_from(directory)
        assert not done.refused
