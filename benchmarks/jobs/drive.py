"""A drive of one big file and `count` small ones: written, downloaded, read in ranges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.jobs.common import blocks, run, timed
from benchmarks.jobs.links import dial, listen
from holdfast.hyperdrive import Drive, DriveBatch
from holdfast.store import Store

BIG = "/big.bin"
RANGE = 65536


def big_chunks(size: int) -> Iterator[bytes]:
    source = blocks(65536)
    for _ in range(0, size, 65536):
        yield next(source)


async def put_big(drive: Drive, arguments: dict[str, Any]) -> None:
    await drive.put(BIG, big_chunks(arguments["bigBytes"]))


async def put_small(drive: Drive | DriveBatch, folder: str, arguments: dict[str, Any]) -> None:
    source = blocks(arguments["smallBytes"])
    for number in range(arguments["count"]):
        await drive.put(f"{folder}/{number:05d}", next(source))


async def put_batch(drive: Drive, arguments: dict[str, Any]) -> None:
    async with drive.batch() as batch:
        await put_small(batch, "/batched", arguments)


async def put(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    drive = Drive(store, name="bench")
    await drive.ready()
    what = arguments["what"]
    if what == "big":
        work = put_big(drive, arguments)
    elif what == "small":
        work = put_small(drive, "/small", arguments)
    else:
        work = put_batch(drive, arguments)
    seconds = await timed(work)
    return {
        "mbPerSecond": arguments["bigBytes"] / 1e6 / seconds,
        "filesPerSecond": arguments["count"] / seconds,
    }


async def source(store: Store, arguments: dict[str, Any]) -> dict[str, Any]:
    drive = Drive(store, name="bench")
    await drive.ready()
    await put_big(drive, arguments)
    if arguments["count"]:
        await put_small(drive, "/small", arguments)
        await put_batch(drive, arguments)
    return {"key": drive.key.hex(), "port": await listen(store)}


async def open_remote(store: Store, arguments: dict[str, Any]) -> Drive:
    drive = Drive(store, bytes.fromhex(arguments["key"]))
    await drive.ready()
    await dial(store, arguments["port"])
    return drive


async def download(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    drive = await open_remote(store, arguments)

    async def work() -> None:
        await drive.update(wait=True)
        await drive.download()

    seconds = await timed(work())
    files = [await drive.has(entry) async for entry in drive.list()].count(True)
    if files != 2 * arguments["count"] + 1:
        raise RuntimeError(f"downloaded {files}")
    size = arguments["bigBytes"] + 2 * arguments["count"] * arguments["smallBytes"]
    return {"mbPerSecond": size / 1e6 / seconds}


async def first_byte_ms(drive: Drive, start: int) -> float:
    began, first, size = time.perf_counter(), 0.0, 0
    async for piece in drive.read_stream(BIG, start, length=RANGE):
        first = first or (time.perf_counter() - began) * 1000
        size += len(piece)
    if size != RANGE:
        raise RuntimeError(f"short read: {size}")
    return first


async def read_ranges(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    drive = await open_remote(store, arguments)
    size = arguments["bigBytes"]
    update_ms = await timed(drive.update(wait=True)) * 1000
    cold_ms = await first_byte_ms(drive, size // 2 + 1000)
    step = size // 4 // 20
    warm = [await first_byte_ms(drive, size // 4 + i * step + 1000) for i in range(20)]
    return {"coldMs": cold_ms, "warmMs": median(warm), "updateMs": update_ms}


if __name__ == "__main__":
    run({"put": put, "source": source, "download": download, "range": read_ranges})
