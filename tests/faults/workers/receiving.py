"""A child that fetches a log from another process until it dies, and says how far it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.crypto import key_pair
from holdfast.net import dial
from holdfast.store import Core, Store
from tests.faults.workers.appending import KEY
from tests.faults.workers.children import Report
from tests.faults.workers.content import block
from tests.faults.workers.sharing import RECEIVED_SIZES


async def main(report: Report, directory: str, key: str, port: int, blocks: int) -> None:
    """Check what is here, fetch what is missing, and check that too."""
    store = await Store.open(Path(directory))
    core = store.core(key=bytes.fromhex(key), encryption_key=KEY)
    report("held", held=check(core))
    watching = asyncio.create_task(_watch(report, core))
    await dial(f"127.0.0.1:{port}", key_pair(), on_open=store.attach)
    await core.download(0, blocks).done()
    assert core.length == blocks
    assert check(core) == "1" * blocks
    watching.cancel()
    await store.close()
    report("whole")


def held_blocks(core: Core) -> str:
    """A 1 for each block that is here, a 0 for each other."""
    return "".join("01"[core.has(index)] for index in range(core.length))


def check(core: Core) -> str:
    """Which blocks the store claims to hold; every one of them is right."""
    held = held_blocks(core)
    for index, here in enumerate(held):
        if here == "1":
            assert core.get_local(index) == block(0, index, RECEIVED_SIZES), index
    return held


async def _watch(report: Report, core: Core) -> None:
    while True:
        report("received", held=held_blocks(core))
        await asyncio.sleep(0.005)
