"""Random operations give what a plain dict gives, in every version, range, diff and history."""

from __future__ import annotations

import os
import random
from typing import Any

from holdfast.hyperbee import Bee
from holdfast.hyperbee import forest as forest_module

STEPS = int(os.environ.get("HOLDFAST_STEPS", "1500"))


class Model:
    """The bee and what it should hold, for each version that is a valid tree."""

    def __init__(self, core: Any, seed: int, keys: int) -> None:
        self.core = core
        self.chance = random.Random(seed)
        self.keys = keys
        self.bee = Bee(core)
        self.now: dict[bytes, bytes] = {}
        self.versions: dict[int, dict[bytes, bytes]] = {1: {}}
        self.log: list[tuple[str, bytes]] = []

    def key(self) -> bytes:
        return b"%d" % self.chance.randrange(self.keys)

    async def change(self, target: Any) -> None:
        key = self.key()
        if self.chance.random() < 0.4:
            assert await target.delete(key) == (key in self.now)
            if self.now.pop(key, None) is not None:
                self.log.append(("del", key))
        else:
            value = self.chance.randbytes(self.chance.randrange(20))
            await target.put(key, value)
            self.now[key] = value
            self.log.append(("put", key))

    async def step(self) -> None:
        roll = self.chance.random()
        if roll < 0.5:
            await self.change(self.bee)
        elif roll < 0.6:
            async with self.bee.batch() as batch:
                for _ in range(self.chance.randrange(20)):
                    await self.change(batch)
                key = self.key()
                entry = await batch.get(key)
                assert (entry and entry.value) == self.now.get(key)
        elif roll < 0.62:
            self.bee = Bee(self.core)  # as after a restart
        elif roll < 0.64:
            self.bee._forest.forget()
        else:
            await self.look()
        self.versions[self.bee.version] = dict(self.now)

    async def look(self) -> None:
        version = self.chance.choice(list(self.versions))
        want = self.versions[version]
        bee = self.bee if self.chance.random() < 0.3 else self.bee.checkout(version)
        if bee is self.bee:
            want = self.now
        key = self.key()
        entry = await bee.get(key)
        assert (entry and entry.value) == want.get(key)
        await self.look_at_range(bee, want)
        await self.look_at_diff(bee, want)

    async def look_at_range(self, bee: Bee, want: dict[bytes, bytes]) -> None:
        low, high = sorted((self.key(), self.key()))
        bounds: dict[str, Any] = {}
        rows = sorted(want.items())
        if self.chance.random() < 0.7:
            strict = self.chance.random() < 0.5
            bounds["gt" if strict else "gte"] = low
            rows = [row for row in rows if row[0] > low or (row[0] == low and not strict)]
        if self.chance.random() < 0.7:
            strict = self.chance.random() < 0.5
            bounds["lt" if strict else "lte"] = high
            rows = [row for row in rows if row[0] < high or (row[0] == high and not strict)]
        reverse = self.chance.random() < 0.5
        if reverse:
            rows.reverse()
        limit = self.chance.choice([-1, -1, 0, 1, 5])
        if limit >= 0:
            rows = rows[:limit]
        got = [(e.key, e.value) async for e in bee.iterate(reverse=reverse, limit=limit, **bounds)]
        assert got == rows

    async def look_at_diff(self, bee: Bee, want: dict[bytes, bytes]) -> None:
        version = self.chance.choice(list(self.versions))
        past = self.versions[version]
        low, high = sorted((self.key(), self.key()))
        got = {}
        last = b""
        async for left, right in bee.diff(version, gte=low, lt=high):
            key = (left or right).key  # type: ignore[union-attr]
            assert last < key
            last = key
            got[key] = (left and left.value, right and right.value)
        for key in want.keys() | past.keys():
            if low <= key < high:
                pair = (want.get(key), past.get(key))
                if pair[0] == pair[1]:  # written again with the same value, it may show up
                    assert got.pop(key, pair) == pair
                else:
                    assert got.pop(key) == pair
        assert got == {}

    async def finish(self) -> None:
        changes = [(c.kind, c.key) async for c in self.bee.history()]
        assert changes == self.log
        for version, want in list(self.versions.items())[-20:]:
            got = {e.key: e.value async for e in self.bee.checkout(version).iterate()}
            assert got == want


async def test_a_bee_is_a_sorted_dict_with_versions(core: Any) -> None:
    for seed, keys in ((1, 20), (2, 300)):
        model = Model(core, seed, keys)
        model.versions = {max(1, core.length): {}}
        if core.length:
            async with model.bee.batch() as batch:
                async for entry in model.bee.iterate():
                    await batch.delete(entry.key)
            model.versions = {core.length: {}}
            model.log = [(c.kind, c.key) async for c in model.bee.history()]
        for _ in range(STEPS // 2):
            await model.step()
        await model.finish()


async def test_the_same_with_next_to_no_cache(core: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(forest_module, "MAX_NODES", 3)
    monkeypatch.setattr(forest_module, "MAX_ENTRY_BYTES", 700)
    model = Model(core, 3, 100)
    for _ in range(STEPS // 5):
        await model.step()
    await model.finish()
