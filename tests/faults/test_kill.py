"""kill -9 at random times: nothing acknowledged is lost, and nothing needs repair."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from holdfast.storage import open_storage
from tests.faults.processes import Worker
from tests.faults.worker import Ack, check_store

CYCLES = int(os.environ.get("HOLDFAST_CYCLES", "100"))
READY_WITHIN = 30.0


def wait_until_ready(worker: Worker) -> None:
    """It says so with its first ack, after it has checked the store."""
    deadline = time.monotonic() + READY_WITHIN
    while not worker.collect():
        assert worker.alive, "the worker found something wrong, see its output"
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(60 + CYCLES)
async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """One store, never closed: each worker opens what the one before left when it was killed."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    best: dict[int, Ack] = {}
    for _ in range(CYCLES):
        worker = Worker(tmp_path, chance.randrange(1 << 32), power=False, acks=list(best.values()))
        if chance.random() < 0.8:
            wait_until_ready(worker)
        time.sleep(chance.random() * 0.1)
        for ack in worker.kill():
            best[ack.log] = max(best.get(ack.log, ack), ack)
    assert len(best) == 4, "the workers got something done"
    storage = open_storage(tmp_path / "store", state=tmp_path / "state")
    found = check_store(storage, best.values())
    await storage.close()
    storage = open_storage(tmp_path / "store", state=tmp_path / "state")
    assert check_store(storage, best.values()) == found
    await storage.close()
