"""The same operations give the same blocks as JavaScript Hyperbee 2.27.3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.hyperbee import Batch, Bee, Header
from tests.support.memory_core import MemoryCore

SCENARIOS = json.loads(Path(__file__).with_name("bee.json").read_text())


def chance(seed: int) -> Callable[[int], int]:
    """The same numbers as in vectors.js."""

    def below(n: int) -> int:
        nonlocal seed
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        return (seed >> 8) % n

    return below


async def operations(bee: Bee, scenario: dict[str, Any]) -> None:
    """Run the seeded operations of a scenario; vectors.js does the same."""
    below = chance(scenario["seed"])

    async def one(target: Bee | Batch) -> None:
        kind = below(100)
        key = b"k%d" % below(scenario["keys"])
        if kind < scenario["del"]:
            await target.delete(key)
            return
        value = b"v%d" % below(1000000) + b"x" * below(20)
        if kind >= 100 - scenario.get("cas", 0):
            await target.put(key, value, cas=lambda now, new: len(now.value) % 2 == 0)
        else:
            await target.put(key, value)

    done = 0
    while done < scenario["ops"]:
        count = 1 + below(scenario["batch"]) if "batch" in scenario else 1
        done += count
        if count == 1:
            await one(bee)
            continue
        async with bee.batch() as batch:
            for _ in range(count):
                await one(batch)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
async def test_blocks_equal_those_of_javascript(scenario: dict[str, Any]) -> None:
    core = MemoryCore()
    bee = Bee(core, metadata=Header("hyperbee", metadata=True) if "metadata" in scenario else None)
    await operations(bee, scenario)

    if "blocks" in scenario:
        assert [block.hex() for block in core.blocks] == scenario["blocks"]
    blocks = hashlib.sha256()
    for block in core.blocks:
        blocks.update(len(block).to_bytes(4, "little") + block)
    entries = hashlib.sha256()
    count = 0
    async for entry in Bee(core).iterate():
        count += 1
        entries.update(entry.key + entry.value + str(entry.seq).encode())
    assert (core.length, blocks.hexdigest()) == (scenario["length"], scenario["sha256"])
    assert (count, entries.hexdigest()) == (scenario["entries"], scenario["entriesSha256"])
