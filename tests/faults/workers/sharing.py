"""A healthy child that owns a log and a drive and shows them to whoever dials."""

from __future__ import annotations

import asyncio

from holdfast.crypto import key_pair
from holdfast.hyperdrive import Drive
from holdfast.net import listen
from holdfast.store import Store
from tests.faults.workers.appending import KEY
from tests.faults.workers.children import Report
from tests.faults.workers.content import block, file_content

RECEIVED_SIZES = (100, 100, 1000, 5000, 20_000, 65_536)
"""Bytes of blocks of the log that is fetched."""


async def main(report: Report, blocks: int, files: int) -> None:
    """Share a private log and a private drive until the parent lets go of the pipe."""
    store = await Store.open(None)
    core = store.core(name="log", encryption_key=KEY)
    await core.append([block(0, index, RECEIVED_SIZES) for index in range(blocks)])
    drive = Drive(store, name="drive", encryption_key=KEY)
    async with drive.batch() as batch:
        for number in range(files):
            path = path_of(number)
            await batch.put(path, file_content(path, 0))
    listener = await listen("127.0.0.1:0", key_pair(), store.attach)
    report("ready", log=core.key.hex(), drive=drive.core.key.hex(), port=listener.addresses[0].port)
    while not report.closed():  # noqa: ASYNC110 - the end of a pipe is no event
        await asyncio.sleep(0.2)


def path_of(number: int) -> str:
    """The names of the files in the drive."""
    return f"/folder {number % 4}/file {number}"
