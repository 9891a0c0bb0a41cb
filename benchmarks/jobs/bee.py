"""A bee of `count` keys: puts in batches of 1,000, gets, a scan; gets from a cold reader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.jobs.common import run, timed
from benchmarks.jobs.links import dial, listen
from holdfast.hyperbee import Bee
from holdfast.store import Core, Store

BATCH = 1000
STRIDE = 48271  # coprime to every count used, so that puts arrive in no order


def key_of(number: int) -> str:
    return f"key-{number:08d}"


def value_of(number: int) -> bytes:
    return f"value-{number}-{'x' * 39}".encode()


def draws(count: int) -> Iterator[int]:
    """The same numbers below `count` that the JavaScript twin draws."""
    state = 12345
    while True:
        state = state * 48271 % 0x7FFFFFFF
        yield state % count


def open_bee(core: Core) -> Bee:
    return Bee(core, key_encoding="utf-8", value_encoding="binary")


async def fill(bee: Bee, count: int) -> None:
    for start in range(0, count, BATCH):
        async with bee.batch() as batch:
            for number in range(start, min(start + BATCH, count)):
                await batch.put(key_of(number * STRIDE % count), value_of(number))


async def get_one(bee: Bee, number: int) -> None:
    if await bee.get(key_of(number)) is None:
        raise RuntimeError(f"missing {number}")


async def get_some(bee: Bee, count: int, gets: int) -> None:
    for number, _ in zip(draws(count), range(gets), strict=False):
        await get_one(bee, number)


async def scan(bee: Bee, count: int) -> None:
    seen = 0
    async for _ in bee.iterate():
        seen += 1
    if seen != count:
        raise RuntimeError(f"scan saw {seen}")


async def solo(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    count, gets = arguments["count"], arguments["gets"]
    bee = open_bee(store.core(name="bench"))
    return {
        "putsPerSecond": count / await timed(fill(bee, count)),
        "getsPerSecond": gets / await timed(get_some(bee, count, gets)),
        "scannedPerSecond": count / await timed(scan(bee, count)),
    }


async def source(store: Store, arguments: dict[str, Any]) -> dict[str, Any]:
    bee = open_bee(store.core(name="bench"))
    await fill(bee, arguments["count"])
    return {"key": bee.key.hex(), "port": await listen(store)}


async def reader(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    core = store.core(key=bytes.fromhex(arguments["key"]))
    bee = open_bee(core)
    await dial(store, arguments["port"])
    await core.update(wait=True)
    times = []
    for number, _ in zip(draws(arguments["count"]), range(arguments["gets"]), strict=False):
        start = time.perf_counter()
        await get_one(bee, number)
        times.append((time.perf_counter() - start) * 1000)
    return {"getMs": median(times), "firstGetMs": times[0]}


if __name__ == "__main__":
    run({"solo": solo, "source": source, "reader": reader})
