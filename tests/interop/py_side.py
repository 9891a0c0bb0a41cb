"""Holdfast behind the verbs of `sides`, in the event loop of the test."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from holdfast.errors import BlockNotAvailable
from holdfast.hyperbee import Bee
from holdfast.store import Core, Store
from tests.interop.content import pattern
from tests.interop.py_drive import PyDrive
from tests.interop.py_net import Network
from tests.interop.sides import Change, CoreInfo, Op, Pair

PARALLEL = 64  # requests in flight, as the JavaScript peer keeps


class PyCore:
    """A session on a log."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.key = core.key

    async def info(self) -> CoreInfo:
        core = self._core
        return CoreInfo(core.length, core.byte_length, core.contiguous_length, core.fork)

    async def append(self, blocks: list[bytes]) -> int:
        return await self._core.append(blocks)

    async def append_pattern(self, seed: str, count: int, size: int, batch: int = 1) -> int:
        start = self._core.length
        blocks = [pattern(seed, start + i, size) for i in range(count)]
        for i in range(0, count, batch):
            await self._core.append(blocks[i : i + batch])
        return self._core.length

    async def get(self, index: int, *, wait: bool = True) -> bytes | None:
        try:
            return await self._core.get(index, wait=wait)
        except BlockNotAvailable:
            return None

    async def digest(self, indexes: list[int]) -> str:
        whole = hashlib.sha256()
        for at in range(0, len(indexes), PARALLEL):
            some = indexes[at : at + PARALLEL]
            for block in await asyncio.gather(*(self._core.get(index) for index in some)):
                whole.update(block)
        return whole.hexdigest()

    async def has(self, start: int, end: int) -> bool:
        return self._core.has(start, end)

    async def seek(self, offset: int) -> tuple[int, int]:
        return await self._core.seek(offset)

    async def truncate(self, length: int) -> None:
        await self._core.truncate(length)

    async def clear(self, start: int, end: int) -> None:
        await self._core.clear(start, end)

    async def download(self, start: int, end: int) -> None:
        await self._core.download(start, end).done()

    async def reach(
        self, length: int = 0, *, fork: int | None = None, contiguous: int = 0
    ) -> CoreInfo:
        while True:
            info = await self.info()
            there = info.length >= length and info.contiguous >= contiguous
            if there and fork in (None, info.fork):
                return info
            await self._core.next_change()


class PyBee:
    """A bee whose keys and values are text."""

    def __init__(self, bee: Bee) -> None:
        self._bee = bee
        self.key = bee.key

    async def version(self) -> int:
        return self._bee.version

    async def update(self) -> int:
        # What the caller waits for may have come before it asked.
        with suppress(BlockNotAvailable):
            await self._bee.core.update(wait=True, timeout=2)
        return self._bee.version

    async def apply(self, ops: list[Op], batch: int = 1) -> int:
        for start in range(0, len(ops), batch):
            async with self._bee.batch() as writer:
                for op in ops[start : start + batch]:
                    if op[0] == "put":
                        await writer.put(op[1], op[2])
                    else:
                        await writer.delete(op[1])
        return self._bee.version

    async def get_many(self, keys: list[str]) -> list[str | None]:
        found = await asyncio.gather(*(self._bee.get(key) for key in keys))
        return [entry and entry.value for entry in found]

    async def items(self, *, reverse: bool = False, limit: int = -1, **bounds: Any) -> list[Pair]:
        entries = self._bee.iterate(reverse=reverse, limit=limit, **bounds)
        return [(entry.key, entry.value) async for entry in entries]

    async def history(self) -> list[tuple[str, int, str, str | None]]:
        return [tuple(change) async for change in self._bee.history()]

    async def diff(self, version: int) -> list[Change]:
        return [
            Change(
                (one.left or one.right).key,  # type: ignore[union-attr]
                one.left and one.left.value,
                one.right and one.right.value,
            )
            async for one in self._bee.diff(version)
        ]

    async def checkout(self, version: int) -> PyBee:
        return PyBee(self._bee.checkout(version))


class PySide:
    """A Holdfast store with connections."""

    name = "py"

    def __init__(self, store: Store) -> None:
        self.store = store
        self._network = Network(store)

    @classmethod
    @asynccontextmanager
    async def open(cls, directory: Path) -> AsyncIterator[PySide]:
        """A side whose store and connections end with the block."""
        async with await Store.open(directory) as store:
            side = cls(store)
            try:
                yield side
            finally:
                await side._network.close()

    async def listen(self) -> int:
        return await self._network.listen()

    async def dial(self, port: int) -> None:
        await self._network.dial(port)

    async def hangup(self) -> None:
        await self._network.hangup()

    async def core(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        encryption_key: bytes | None = None,
        kind: str = "store",
    ) -> PyCore:
        core = self.store.core(
            name=name, key=key, encryption_key=encryption_key, compat=kind == "compat"
        )
        return PyCore(core)

    async def bee(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        encryption_key: bytes | None = None,
    ) -> PyBee:
        core = self.store.core(name=name, key=key, encryption_key=encryption_key)
        return PyBee(Bee(core, key_encoding="utf-8", value_encoding="utf-8"))

    async def drive(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        encryption_key: bytes | None = None,
    ) -> PyDrive:
        return await PyDrive.open(self.store, name, key, encryption_key)
