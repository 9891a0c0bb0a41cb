"""A log against a plain list: random appends, reads, truncations, clears, restarts and a reader.

Each seed is one long life of a store on disk; what it holds must equal the model after every step.
HOLDFAST_STEPS sets the number of steps over all seeds (the release run uses 100,000).
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from holdfast.errors import BlockNotAvailable
from holdfast.store import Core, Store
from tests.support.links import joined

STEPS = int(os.environ.get("HOLDFAST_STEPS", "4000"))
SEEDS = 8


class Life:
    """One writer on disk, one reader on disk, and the list they must equal."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.model: list[bytes] = []
        self.cleared: set[int] = set()
        self.fork = 0
        self.key = bytes([seed % 251]) * 32 if seed % 2 else None

    async def open(self) -> None:
        self.store = await Store.open(self.folder / "writer", durability="process")
        self.core = self.store.core(name="log", encryption_key=self.key)
        self.readers = await Store.open(self.folder / "reader", durability="process")
        self.reader: Core = self.readers.core(key=self.core.key, encryption_key=self.key)
        self.link = joined(self.store, self.readers)

    async def close(self) -> None:
        self.link.cut()
        await self.store.close()
        await self.readers.close()

    async def append(self) -> None:
        count = self.random.choice([1, 1, 2, 5, 40])
        size = self.random.choice([0, 1, 30, 300, 70_000 if count < 3 else 10])
        blocks = [self.random.randbytes(size) for _ in range(count)]
        length = await self.core.append(blocks, durable=self.random.random() < 0.5)
        self.model += blocks
        assert length == len(self.model)

    async def read(self) -> None:
        if self.model:
            index = self.random.randrange(len(self.model))
            await self._equal(self.core, index)

    async def _equal(self, core: Core, index: int) -> None:
        if index in self.cleared and core is self.core and not core.has(index):
            with pytest.raises(BlockNotAvailable):
                await core.get(index, wait=False)
        else:
            assert await core.get(index, timeout=5) == self.model[index]

    async def read_remote(self) -> None:
        await self.core.sync()
        if not self.model:
            return  # an empty log cannot be proven: readers follow with its next block
        while (self.reader.fork, self.reader.length) != (self.fork, len(self.model)):
            await self.reader.update(wait=True, timeout=5)
        if self.model:
            index = self.random.randrange(len(self.model))
            if index not in self.cleared:
                assert await self.reader.get(index, timeout=5) == self.model[index]

    async def seek(self) -> None:
        total = sum(map(len, self.model))
        if total:
            position = self.random.randrange(total)
            index, rest = await self.core.seek(position)
            assert sum(map(len, self.model[:index])) + rest == position
            assert rest == 0 or rest < len(self.model[index])

    async def truncate(self) -> None:
        if self.random.random() < 0.3:
            length = self.random.randrange(len(self.model) + 1)
            await self.core.truncate(length)
            del self.model[length:]
            self.cleared = {index for index in self.cleared if index < length}
            self.fork += 1

    async def clear(self) -> None:
        if self.model and self.random.random() < 0.5:
            start = self.random.randrange(len(self.model))
            end = min(len(self.model), start + self.random.randrange(1, 10))
            await self.core.clear(start, end)
            self.cleared |= set(range(start, end))

    async def reopen(self) -> None:
        if self.random.random() < 0.1:
            await self.close()
            await self.open()

    async def step(self) -> None:
        act = self.random.choice(
            [self.append, self.append, self.read, self.read, self.read_remote, self.read_remote]
            + [self.seek, self.truncate, self.clear, self.reopen]
        )
        await act()
        assert self.core.length == len(self.model)
        assert self.core.byte_length == sum(map(len, self.model))
        assert self.core.fork == self.fork


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_log_equals_a_list(seed: int, tmp_path: Path) -> None:
    life = Life(seed, tmp_path)
    await life.open()
    for _ in range(STEPS // SEEDS):
        await life.step()
    for index in range(len(life.model)):
        await life._equal(life.core, index)
    await life.close()
