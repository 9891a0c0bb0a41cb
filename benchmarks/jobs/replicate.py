"""One core of `count` blocks, downloaded whole by a second process over TCP."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs.common import blocks, run, take, timed
from benchmarks.jobs.links import dial, listen
from holdfast.store import Store


async def source(store: Store, arguments: dict[str, Any]) -> dict[str, Any]:
    size, count = arguments["size"], arguments["count"]
    core = store.core(name="bench")
    made = blocks(size)
    batch = 16 if size > 1024 else 1000
    for start in range(0, count, batch):
        await core.append(take(made, min(batch, count - start)))
    return {"key": core.key.hex(), "port": await listen(store)}


async def reader(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    size, count = arguments["size"], arguments["count"]
    core = store.core(key=bytes.fromhex(arguments["key"]))
    await dial(store, arguments["port"])
    seconds = await timed(core.download(0, count).done())
    if core.contiguous_length != count:
        raise RuntimeError(f"incomplete: {core.contiguous_length}")
    return {"mbPerSecond": size * count / 1e6 / seconds, "blocksPerSecond": count / seconds}


if __name__ == "__main__":
    run({"source": source, "reader": reader})
