"""kill -9 while appending to private logs and putting files: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from holdfast.store import Store
from tests.faults.workers import appending
from tests.faults.workers.appending import Acks, log_of
from tests.faults.workers.children import CYCLES, Child
from tests.support.links import joined


@pytest.mark.faults
@pytest.mark.timeout(60 + CYCLES)
async def test_nothing_acknowledged_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One store, never closed: each child opens and checks what the one before left."""
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "state"))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    acks = Acks()
    early = 0
    for _ in range(CYCLES):
        child = Child(
            appending.main,
            str(tmp_path / "store"),
            chance.randrange(1 << 32),
            acks,
            state=tmp_path / "state",
        )
        if chance.random() < 0.75:
            child.wait_for("ready")
            time.sleep(chance.random() * 0.15)
        else:  # the second kill hits the recovery from the first
            time.sleep(chance.random() * 0.06)
            early += 1
        acks.note(child.kill())
        assert child.exitcode == -9, child.lines[-1:]
    print(f"{CYCLES} kills, {early} of them early: {len(acks.logs)} logs, {len(acks.files)} files")
    assert len(acks.logs) >= 2 and acks.files
    store = await Store.open(tmp_path / "store")
    await appending.check(store, acks)
    await _a_reader_accepts_it(store, acks)
    await store.close()


async def _a_reader_accepts_it(store: Store, acks: Acks) -> None:
    """Signatures, tree and blocks stand up before somebody who knows only the keys."""
    reader = await Store.open(None)
    link = joined(store, reader)
    for number in acks.logs:
        ours = log_of(store, number)
        theirs = reader.core(key=ours.key, encryption_key=appending.KEY)
        await theirs.update(wait=True, timeout=30)
        assert theirs.length == ours.length
        await asyncio.wait_for(theirs.download(0, ours.length).done(), 60)
        for index in range(0, ours.length, 7):
            assert theirs.get_local(index) == appending.block(number, index)
        await theirs.close()
    link.cut()
    await reader.close()
