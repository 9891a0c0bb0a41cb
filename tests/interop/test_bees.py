"""Sorted keys written by one side and iterated, diffed and checked out by the other."""

from __future__ import annotations

import random

from tests.interop.conftest import Pair
from tests.interop.sides import BeeHandle, Op
from tests.interop.sizes import size

SECRET = bytes(range(32))
BATCH = 100
Model = dict[str, str]


def random_ops(count: int, seed: int) -> list[Op]:
    """Puts and deletions over a key space small enough that keys are met again and again."""
    draw = random.Random(seed)
    ops: list[Op] = []
    for number in range(count):
        key = f"{draw.choice('abcdefgh')}/{draw.randrange(count // 10):05d}"
        if draw.random() < 0.35:
            ops.append(("del", key))
        else:
            ops.append(("put", key, f"value {number} " + "x" * draw.randrange(60)))
    return ops


def apply_to(model: Model, ops: list[Op]) -> None:
    for op in ops:
        if op[0] == "put":
            model[op[1]] = op[2]
        else:
            model.pop(op[1], None)


async def write_history(bee: BeeHandle, count: int, seed: int) -> dict[int, Model]:
    """Applies random operations, a tenth of them singly; returns the model at some versions."""
    ops = random_ops(count, seed)
    alone = count // 10
    model: Model = {}
    history: dict[int, Model] = {}
    for start in range(0, alone, BATCH):
        part = ops[start : start + BATCH]
        apply_to(model, part)
        history[await bee.apply(part)] = dict(model)
    step = BATCH * 10
    for start in range(alone, count, step):
        part = ops[start : start + step]
        apply_to(model, part)
        history[await bee.apply(part, batch=BATCH)] = dict(model)
    return history


def items(model: Model) -> list[tuple[str, str]]:
    return sorted(model.items())


def changes(old: Model, new: Model) -> list[tuple[str, str | None, str | None]]:
    keys = sorted(old.keys() | new.keys())
    return [(k, new.get(k), old.get(k)) for k in keys if new.get(k) != old.get(k)]


async def test_random_operations_read_by_the_other_side(one_pair: Pair) -> None:
    count = size(3_000, 10_000)
    bee = await one_pair.source.bee(name="bee")
    history = await write_history(bee, count, seed=11)
    latest = max(history)
    model = history[latest]
    remote = await one_pair.reader.bee(key=bee.key)
    await one_pair.connect()
    assert await remote.update() == latest

    some = random.Random(1).sample(sorted(model), 100)
    assert await remote.get_many([*some, "a/nothing", ""]) == [
        *(model[k] for k in some),
        None,
        None,
    ]
    assert await remote.items() == items(model)
    assert await remote.items(reverse=True) == items(model)[::-1]
    bounded = [(k, v) for k, v in items(model) if "b/" <= k < "d/00100"]
    assert await remote.items(gte="b/", lt="d/00100") == bounded
    assert await remote.items(gt=bounded[0][0], lte=bounded[-1][0], limit=7) == bounded[1:8]


async def test_versions_and_differences_seen_by_the_other_side(one_pair: Pair) -> None:
    bee = await one_pair.source.bee(name="bee")
    history = await write_history(bee, size(2_000, 10_000), seed=12)
    versions = sorted(history)
    model = history[versions[-1]]
    remote = await one_pair.reader.bee(key=bee.key)
    await one_pair.connect()
    assert await remote.update() == versions[-1]
    for version in random.Random(2).sample(versions[:-1], 3):
        old = await remote.checkout(version)
        assert await old.items() == items(history[version])
        seen = [(c.key, c.left, c.right) for c in await remote.diff(version)]
        assert seen == changes(history[version], model)


async def test_both_sides_build_the_same_blocks(pair: Pair) -> None:
    """The same operations on two bees with the same seed of keys give blocks that read alike."""
    bee = await pair.source.bee(name="bee")
    ops = random_ops(400, seed=13)
    await bee.apply(ops[:200])
    await bee.apply(ops[200:], batch=50)
    own = await pair.reader.bee(name="own")
    await own.apply(ops[:200])
    await own.apply(ops[200:], batch=50)
    remote = await pair.reader.core(key=bee.key)
    written = await pair.reader.core(key=own.key)
    await pair.connect()
    length = await own.version()
    await remote.reach(length)
    everything = list(range(length))
    assert await remote.digest(everything) == await written.digest(everything)


async def test_history_lists_every_operation(pair: Pair) -> None:
    bee = await pair.source.bee(name="bee")
    await bee.apply([("put", "a", "1"), ("put", "b", "2"), ("del", "a"), ("put", "b", "3")])
    remote = await pair.reader.bee(key=bee.key)
    await pair.connect()
    await remote.update()
    assert await remote.history() == [
        ("put", 1, "a", "1"),
        ("put", 2, "b", "2"),
        ("del", 3, "a", None),
        ("put", 4, "b", "3"),
    ]


async def test_live_and_encrypted(pair: Pair) -> None:
    bee = await pair.source.bee(name="bee", encryption_key=SECRET)
    remote = await pair.reader.bee(key=bee.key, encryption_key=SECRET)
    await pair.connect()
    for number in range(5):
        version = await bee.apply([("put", f"key {number}", "value"), ("del", f"key {number - 1}")])
        while await remote.update() < version:
            pass
        assert await remote.items() == [(f"key {number}", "value")]
