"""Power cuts while appending to private logs and putting files: nothing acknowledged is lost.

Only acks received before the cut count: one that arrives later may be of a sync that raced it.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.crypto import key_pair
from holdfast.net import dial
from holdfast.store import Core, Store
from tests.faults.disks import LoopDisk
from tests.faults.workers import appending, showing
from tests.faults.workers.appending import FAILED, Acks
from tests.faults.workers.children import Child
from tests.faults.workers.content import block
from tests.support.links import joined

CYCLES = int(os.environ.get("HOLDFAST_CYCLES") or (200 if os.environ.get("CI") else 20))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    made = LoopDisk(tmp_path, megabytes=1024)
    yield made
    subprocess.run(["umount", "-l", str(made.mounted)], check=True)


@pytest.mark.faults
@pytest.mark.timeout(60 + 2 * CYCLES)
async def test_nothing_acknowledged_is_lost(
    disk: LoopDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_STATE", str(disk.mounted / "state"))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    store = disk.mounted / "store"
    acks = Acks()
    early = 0

    def start() -> Child:
        number = chance.randrange(1 << 32)
        return Child(appending.main, str(store), number, acks, state=disk.mounted / "state")

    for _ in range(CYCLES):
        child = start()
        if chance.random() < 0.8:
            child.wait_for("ready")
            time.sleep(chance.random() * 0.2)
        else:  # the cut hits the making of the store, or its recovery
            time.sleep(chance.random() * 0.06)
            early += 1
        lines = list(child.collect())
        disk.cut()
        if chance.random() < 0.3:  # a disk that is gone is reported, whatever was going on
            time.sleep(0.1)
        child.kill()
        assert child.exitcode in (-9, FAILED), "the child found something wrong, see its output"
        assert not [line for line in lines if line["what"] == "failed"], lines[-1]
        disk.power_on()
        acks.note(lines)
    print(f"{CYCLES} cuts, {early} of them early: {len(acks.logs)} logs, {len(acks.files)} files")
    assert len(acks.logs) >= 2 and acks.files
    opened = await Store.open(store)
    await appending.check(opened, acks)
    await opened.close()


@pytest.mark.faults
@pytest.mark.timeout(60 + 2 * CYCLES)
async def test_nothing_shown_to_a_peer_is_lost(
    disk: LoopDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the writer would sign something else for a length that somebody has already seen."""
    monkeypatch.setenv("HOLDFAST_STATE", str(disk.mounted / "state"))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    peer = await Store.open(None)
    theirs: Core | None = None
    for _ in range(CYCLES // 2):
        number, state = chance.randrange(1 << 32), disk.mounted / "state"
        child = Child(showing.main, str(disk.mounted / "store"), number, state=state)
        ready = child.wait_for("ready")
        if theirs is None:
            theirs = peer.core(key=bytes.fromhex(ready["key"]), encryption_key=appending.KEY)
        assert ready["length"] >= theirs.length, "a power cut took back what a peer has seen"
        connection = await dial(f"127.0.0.1:{ready['port']}", key_pair(), on_open=peer.attach)
        theirs.download()
        await asyncio.sleep(chance.random() * 0.2)
        disk.cut()
        await asyncio.sleep(chance.random() * 0.05)
        child.kill()
        await connection.wait_closed()
        disk.power_on()
        assert child.exitcode in (-9, FAILED), "the child found something wrong, see its output"
    assert theirs is not None
    print(f"{CYCLES // 2} cuts, {theirs.length} blocks")
    writer = await Store.open(disk.mounted / "store")
    ours = appending.log_of(writer, 0)
    link = joined(writer, peer)
    await asyncio.wait_for(theirs.download(0, ours.length).done(), 30)
    assert theirs.length == ours.length and not peer.logs[0].log.frozen
    for index in range(ours.length):
        assert theirs.get_local(index) == block(0, index, showing.SIZES)
    link.cut()
    await writer.close()
    await peer.close()
