"""kill -9 while fetching from a healthy process: what arrived is right, and stays."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from tests.faults.workers import receiving, sharing
from tests.faults.workers.children import CYCLES, Child, Line
from tests.faults.workers.content import block

BLOCKS = 480
SIZES = [len(block(0, index, sharing.RECEIVED_SIZES)) for index in range(BLOCKS)]
RECENT = 0.5
"""Seconds. What arrived longer before the kill must not be fetched again."""
UNWRITTEN = 512 * 1024
"""Bytes that may be fetched again however fast they came: two buffers of the socket."""


class Ledger:
    """What one store held when, as its children reported it."""

    def __init__(self) -> None:
        self.again = 0
        """Bytes that were here once and had to be fetched again."""
        self._seen: list[Line] = []

    def note(self, lines: list[Line]) -> None:
        """Take in the reports of a child that was killed."""
        for line in lines:
            if line["what"] == "held" and self._seen:
                self._compare(self._seen, line["held"])
                self._seen = []
            if "held" in line:
                self._seen.append(line)

    def _compare(self, seen: list[Line], held: str) -> None:
        latest = seen[-1]
        for line in seen:
            if line["at"] < latest["at"] - RECENT:
                assert not _missing(line["held"], held), "what was here half a second ago is gone"
        lost = sum(SIZES[index] for index in _missing(latest["held"], held))
        assert lost <= UNWRITTEN
        self.again += lost


def _missing(once: str, now: str) -> list[int]:
    now = now.ljust(len(once), "0")
    return [index for index, here in enumerate(once) if here == "1" and now[index] == "0"]


@pytest.mark.faults
@pytest.mark.timeout(60 + CYCLES)
def test_what_arrived_is_right_and_stays(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sharer = Child(sharing.main, BLOCKS, 0)
    shared = sharer.wait_for("ready")
    again = whole = cut = 0
    ledger = Ledger()

    def start() -> Child:
        place = str(tmp_path / f"store {whole}")
        key, port = shared["log"], shared["port"]
        return Child(receiving.main, place, key, port, BLOCKS, state=tmp_path)

    for _ in range(CYCLES):
        child = start()
        if chance.random() < 0.8:
            child.wait_for("held")
            time.sleep(chance.random() * 0.15)
        else:  # the second kill hits the recovery from the first
            time.sleep(chance.random() * 0.06)
        lines = child.kill()
        ledger.note(lines)
        if any(line["what"] == "whole" for line in lines):
            again, ledger = again + ledger.again, Ledger()
            shutil.rmtree(tmp_path / f"store {whole}")
            whole += 1
        else:
            assert child.exitcode == -9, "the child found something wrong, see its output"
            cut += any("1" in line["held"] for line in lines if "held" in line)
    child = start()
    child.wait_for("whole")
    ledger.note(child.finish())
    again += ledger.again
    assert child.exitcode == 0
    sharer.kill()
    print(
        f"{CYCLES} kills, {cut} of them in the middle: {whole + 1} times complete,"
        f" {(whole + 1) * sum(SIZES)} bytes, {again} of them twice"
    )
    assert cut > CYCLES // 4
