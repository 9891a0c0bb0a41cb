"""A child that appends to logs and puts files in a drive until it dies; it reports each ack."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from holdfast.errors import StoreError
from holdfast.hyperdrive import Drive
from holdfast.storage import checkpoint
from holdfast.store import Core, Store
from tests.faults.workers.children import Report
from tests.faults.workers.content import block, file_content, version_of

KEY = b"the key of all these private log"
LONG = 120
"""Blocks after which a log is left alone and the next one begun."""
FILES = 24
FAILED = 3
"""Exit status of a child whose store refused to go on."""


class Acks:
    """What was acknowledged: the length of each log, the version of each file."""

    def __init__(self) -> None:
        self.logs: dict[int, int] = {}
        self.files: dict[str, int] = {}

    def note(self, lines: list[dict[str, object]]) -> None:
        """Take in the reports of a child."""
        for line in lines:
            if line["what"] == "appended":
                number, length = int(line["log"]), int(line["length"])  # type: ignore[call-overload]
                self.logs[number] = max(self.logs.get(number, 0), length)
            elif line["what"] == "put":
                path, version = str(line["path"]), int(line["version"])  # type: ignore[call-overload]
                self.files[path] = max(self.files.get(path, 0), version)


def log_of(store: Store, number: int) -> Core:
    """One of the private logs that these children write."""
    return store.core(name=f"log {number}", encryption_key=KEY)


async def check(store: Store, acks: Acks, numbers: list[int] | None = None) -> dict[str, int]:
    """Everything acknowledged is there and all that is there is right; versions of the files."""
    for number, length in acks.logs.items():
        if numbers is not None and number not in numbers:
            continue
        core = log_of(store, number)
        assert core.length >= length, f"log {number}: {core.length} of {length} blocks"
        assert core.contiguous_length == core.length
        for index in range(core.length):
            assert await core.get(index, wait=False) == block(number, index), (number, index)
        await core.close()
    found: dict[str, int] = {}
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        async for entry in drive.list():
            content = await drive.get(entry, wait=False)
            found[entry.path] = version_of(entry.path, content)
    for path, version in acks.files.items():
        assert found.get(path, -1) >= version, (path, found.get(path), version)
    return found


async def main(report: Report, directory: str, seed: int, acks: Acks) -> None:
    """Check the store in ``directory``, then write for ever."""
    # Small limits, so that a short life meets many checkpoints.
    checkpoint.MAX_JOURNAL = 1_000_000
    checkpoint.MAX_PENDING = 300
    try:
        await _run(report, Path(directory), random.Random(seed), acks)
    except* StoreError as errors:
        report("failed", error=repr(errors)[:1000])
        os._exit(FAILED)


async def _run(report: Report, directory: Path, chance: random.Random, acks: Acks) -> None:
    store = await Store.open(directory)
    newest = max(acks.logs, default=0)
    numbers = [newest, newest - 1, chance.randint(0, newest)]
    versions = await check(store, acks, numbers)
    report("ready")
    async with asyncio.TaskGroup() as tasks:
        for lane in range(2):
            begin = max([n for n in acks.logs if n % 2 == lane], default=lane)
            tasks.create_task(_append(report, store, begin, random.Random(chance.random())))
        tasks.create_task(_put(report, store, versions, chance))


async def _append(report: Report, store: Store, number: int, chance: random.Random) -> None:
    """Three appends of one log are under way at any time: they share signatures and syncs."""
    core = log_of(store, number)
    following = core.length

    async def some() -> None:
        nonlocal core, number, following
        while True:
            if following >= LONG:
                number += 2
                core = log_of(store, number)
                following = core.length
                continue
            end = following + chance.choice((1, 1, 2, 5, 20))
            blocks = [block(number, index) for index in range(following, end)]
            following = end
            log = number
            length = await core.append(blocks)
            assert length == end
            report("appended", log=log, length=length)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(some())


async def _put(
    report: Report, store: Store, versions: dict[str, int], chance: random.Random
) -> None:
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        while True:
            path = f"/folder {chance.randrange(4)}/file {chance.randrange(FILES)}"
            version = versions[path] = versions.get(path, 0) + 1
            await drive.put(path, file_content(path, version))
            report("put", path=path, version=version)
