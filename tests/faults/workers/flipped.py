"""The stores whose bits are flipped, and reading everything that should be in them."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import HoldfastError
from holdfast.hyperdrive import Drive
from holdfast.store import Core, Store
from tests.faults.workers.appending import KEY
from tests.faults.workers.content import block, file_content
from tests.faults.workers.sharing import path_of
from tests.support.links import joined

SIZES = (30, 30, 500, 500, 500, 12_000)
BLOCKS = 24
FILES = 9
SLOW = 10.0
"""Seconds after which a read that should work has failed."""


class Keys(NamedTuple):
    """What names the log and the drive."""

    log: bytes
    drive: bytes


def content_of(number: int) -> bytes:
    """The content of a file, small but for one that has several blocks."""
    return file_content(path_of(number), 0)[: 150_000 if number == 3 else 900]


async def fill(store: Store) -> Keys:
    """A private log and a private drive, in several steps."""
    core = store.core(name="log", encryption_key=KEY)
    for start in range(0, BLOCKS, 6):
        await core.append([block(0, index, SIZES) for index in range(start, start + 6)])
    async with Drive(store, name="drive", encryption_key=KEY) as drive:
        for number in range(FILES):
            await drive.put(path_of(number), content_of(number))
        return Keys(core.key, drive.core.key)


async def fetch(store: Store, keys: Keys) -> None:
    """All of both, from the peer that is connected."""
    core = store.core(key=keys.log, encryption_key=KEY)
    await core.update(wait=True, timeout=SLOW)
    await core.download(0, BLOCKS).done()
    async with Drive(store, keys.drive, encryption_key=KEY) as drive:
        await drive.update(wait=True, timeout=SLOW)
        await drive.download()
        await drive.core.download(0, drive.core.length).done()
    await store.sync()


class Findings(Counter[str]):
    """What became of each flip."""

    async def read(self, store: Store, keys: Keys, *, online: bool) -> bool:
        """Whether everything is right; trouble is counted, wrong or missing content asserts."""
        before = self["loud"]
        for each in (self._read_log, self._read_drive):
            try:
                await asyncio.wait_for(each(store, keys, online), SLOW * 2)
            except HoldfastError as error:
                self["loud"] += 1
                self[type(error).__name__] += 1
        return self["loud"] == before

    async def _read_log(self, store: Store, keys: Keys, online: bool) -> None:
        core = store.core(key=keys.log, encryption_key=KEY)
        try:
            if online and not core.writable:
                await core.update(timeout=SLOW)
            assert core.length == BLOCKS, f"{core.length} of {BLOCKS} blocks"
            await self._each(range(BLOCKS), lambda index: self._read_block(core, index, online))
        finally:
            await core.close()

    async def _read_block(self, core: Core, index: int, online: bool) -> None:
        found = await core.get(index, wait=online, timeout=SLOW)
        assert found == block(0, index, SIZES), f"block {index}"

    async def _read_drive(self, store: Store, keys: Keys, online: bool) -> None:
        async with Drive(store, keys.drive, encryption_key=KEY) as drive:
            if online and not drive.writable:
                await drive.update(timeout=SLOW)
            await self._each(range(FILES), lambda number: self._read_file(drive, number, online))
            listed = [entry.path async for entry in drive.list()]
            assert sorted(listed) == sorted(map(path_of, range(FILES))), "other files are listed"

    async def _read_file(self, drive: Drive, number: int, online: bool) -> None:
        found = await drive.get(path_of(number), wait=online, timeout=SLOW)
        assert found == content_of(number), f"file {number}"

    async def _each(self, numbers: range, read: Callable[[int], Awaitable[None]]) -> None:
        """Read them all, and only then report the first trouble."""
        trouble: HoldfastError | None = None
        for number in numbers:
            try:
                await read(number)
            except HoldfastError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble


async def try_own(directory: Path, keys: Keys, findings: Findings, replica: Store) -> None:
    """A store of a writer: right or loud; contents are right again after it met a replica."""
    try:
        store = await Store.open(directory)
    except HoldfastError:
        findings["refused"] += 1
        return
    if await findings.read(store, keys, online=False):
        findings["right"] += 1
    else:
        link = joined(replica, store)
        await findings.read(store, keys, online=True)
        what = await findings.read(store, keys, online=True)
        findings["repaired" if what else "for its owner to decide"] += 1
        link.cut()
    await _close(store, findings)


async def try_fetched(directory: Path, keys: Keys, findings: Findings, writer: Store) -> None:
    """A store of a reader: right or loud, and right again after it met somebody who has it all."""
    try:
        store = await Store.open(directory)
    except HoldfastError:
        findings["refused"] += 1
        return
    if await findings.read(store, keys, online=False):
        findings["right"] += 1
        await _close(store, findings)
        return
    link = joined(writer, store)
    if not await findings.read(store, keys, online=True):
        assert await findings.read(store, keys, online=True), "it is not repaired"
        findings["repaired after an error"] += 1
    findings["repaired"] += 1
    link.cut()
    await _close(store, findings)
    store = await Store.open(directory)
    assert await findings.read(store, keys, online=False), "the repair did not last"
    await _close(store, findings)


async def _close(store: Store, findings: Findings) -> None:
    try:
        await store.close()
    except HoldfastError:
        findings["loud at close"] += 1


async def closed_and_killed(directory: Path, work: Callable[[Store], Awaitable[Keys]]) -> Keys:
    """A store in ``directory/closed``; in ``directory/killed`` as a killed process leaves it."""
    store = await Store.open(directory / "closed")
    keys = await work(store)
    shutil.copytree(directory / "closed", directory / "killed")
    await store.close()
    return keys
