"""A child that appends, durable or not, while peers watch, until it dies."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from holdfast.crypto import key_pair
from holdfast.errors import StoreError
from holdfast.net import listen
from holdfast.store import Store
from tests.faults.workers.appending import FAILED, log_of
from tests.faults.workers.children import Report
from tests.faults.workers.content import block

SIZES = (100, 100, 1000, 40_000)


async def main(report: Report, directory: str, seed: int) -> None:
    """Say how long the log is, take connections, and append for ever."""
    try:
        await _run(report, Path(directory), random.Random(seed))
    except StoreError as error:
        report("failed", error=repr(error))
        os._exit(FAILED)


async def _run(report: Report, directory: Path, chance: random.Random) -> None:
    store = await Store.open(directory)
    core = log_of(store, 0)
    listener = await listen("127.0.0.1:0", key_pair(), store.attach)
    report("ready", length=core.length, key=core.key.hex(), port=listener.addresses[0].port)
    while True:
        start, count = core.length, chance.choice((1, 1, 4))
        blocks = [block(0, index, SIZES) for index in range(start, start + count)]
        await core.append(blocks, durable=chance.random() < 0.5)
        await asyncio.sleep(chance.random() * 0.01)
