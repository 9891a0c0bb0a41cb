"""Power cuts: whatever was synced is there afterwards, and the store opens without help.

Only acks received before the cut count: one that arrives later may be of a sync that raced it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.storage import open_storage
from tests.faults.disks import LoopDisk
from tests.faults.processes import Worker
from tests.faults.test_kill import wait_until_ready
from tests.faults.worker import Ack, check_store

CYCLES = int(os.environ.get("HOLDFAST_CYCLES", "20"))


def note(best: dict[int, Ack], acks: list[Ack]) -> None:
    """Keep the furthest ack of each log."""
    for ack in acks:
        best[ack.log] = max(best.get(ack.log, ack), ack)


def known(best: dict[int, Ack]) -> list[Ack]:
    return list(best.values())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    made = LoopDisk(tmp_path)
    yield made
    made.unmount()


@pytest.mark.faults
@pytest.mark.timeout(60 + 2 * CYCLES)
async def test_nothing_synced_is_lost(disk: LoopDisk) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    best: dict[int, Ack] = {}
    for cycle in range(CYCLES):
        worker = Worker(disk.mounted, chance.randrange(1 << 32), power=True, acks=known(best))
        if chance.random() < 0.3:  # what a killed process left unsynced is no surer than its own
            time.sleep(chance.random() * 0.1)
            note(best, worker.kill())
            worker = Worker(disk.mounted, chance.randrange(1 << 32), power=True, acks=known(best))
        # One cut in five hits the making of the store, or its recovery.
        if chance.random() < 0.8:
            wait_until_ready(worker)
        time.sleep(chance.random() * 0.15)
        acks = list(worker.collect())
        disk.cut()
        worker.kill()
        disk.power_on()
        note(best, acks)
        if cycle % 4 == 3:
            storage = open_storage(disk.mounted / "store", state=disk.mounted / "state")
            check_store(storage, best.values())
            await storage.close()
    assert len(best) == 4, "the workers got something done"
    storage = open_storage(disk.mounted / "store", state=disk.mounted / "state")
    check_store(storage, best.values())
    await storage.close()
