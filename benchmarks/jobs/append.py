"""Appends `count` blocks of `size` bytes, `batch` at a time, by `writers` at once."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.jobs.common import blocks, run, take, timed
from holdfast.store import Core, Store


async def solo(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    size, count, batch = arguments["size"], arguments["count"], arguments["batch"]
    core = store.core(name="bench")
    source = blocks(size)
    for _ in range(8):
        await core.append(next(source))
    # Several writers are there to share the flush that durability costs.
    writers = arguments.get("writers", 1)
    work = (
        _in_turn(core, source, count, batch)
        if writers == 1
        else _at_once(core, source, count, writers)
    )
    seconds = await timed(work)
    return {"mbPerSecond": size * count / 1e6 / seconds, "blocksPerSecond": count / seconds}


async def _in_turn(core: Core, source: Any, count: int, batch: int) -> None:
    for start in range(0, count, batch):
        if batch == 1:
            await core.append(next(source))
        else:
            await core.append(take(source, min(batch, count - start)))


async def _at_once(core: Core, source: Any, count: int, writers: int) -> None:
    async def writer() -> None:
        for _ in range(count // writers):
            await core.append(next(source), durable=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(writers):
            group.create_task(writer())


if __name__ == "__main__":
    run({"solo": solo})
