"""Starting again: the time to a first byte, cold, with a lookup, and from the known peer alone.

In a laboratory of networks on this machine the reader's link delays every packet. It is killed
each time, and for the last row all bootstrap nodes are too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.reports import Report, Say, aligned, quantile
from benchmarks.worker import JobError
from tests.support.netlab import Host, Lab, missing_tools
from tests.support.netlab_run import Program

RUNS = {"full": 20, "smoke": 2}
DELAY = 0.050
"""Seconds that the reader's link takes, each way."""
PORT = 49737
BOOTSTRAPS = 3
BOOK = "peers"
"""Where a store keeps the peers it knows."""
BOOK_TIME = 10.0
"""Seconds for the book to be on disk; a node that is killed before has learnt nothing."""

ROWS = {
    "cold": "fresh store",
    "lookup": "kept store, no known peers",
    "warm": "kept store, known peer, no bootstrap node left",
}


async def report(size: str, scratch: Path, say: Say) -> Report:
    """The table of all runs, or why none could be made here."""
    if reason := missing_tools():
        return Report("restart-warm", f"not measured: {reason}", {})
    try:
        return await asyncio.to_thread(_measure, RUNS[size], scratch, say)
    except (AssertionError, RuntimeError) as problem:  # what the laboratory raises
        raise JobError(f"restart-warm: {problem}") from problem


def _measure(runs: int, scratch: Path, say: Say) -> Report:
    with Lab(scratch / "lab") as lab, ExitStack() as stack:
        place = _Place(lab, stack)
        times: dict[str, list[float | None]] = {name: [] for name in ROWS}
        stores = [scratch / f"reader-{number}" for number in range(runs)]
        for number, store in enumerate(stores):
            say(f"restart-warm: {number + 1} of {runs}")
            times["cold"].append(place.read(store, 0))
            (store / BOOK).unlink(missing_ok=True)
            times["lookup"].append(place.read(store, 1))
        place.stop_bootstraps()
        say("restart-warm: without bootstrap nodes")
        for store in stores:
            times["warm"].append(place.read(store, 2))
    return _report(times)


class _Place:
    """Bootstrap nodes, somebody who shares, and the host on which a reader comes and goes."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self._addresses: list[str] = []
        self._nodes: list[Program] = []
        for number in range(BOOTSTRAPS):
            host = lab.host(f"boot{number}")
            given = {"host": host.address, "port": PORT, "bootstrap": self._addresses[:1]}
            node = stack.enter_context(_part(host, "bootstrap", given))
            node.event("ready")
            self._nodes.append(node)
            self._addresses.append(f"{host.address}:{PORT}")
        host = lab.host("source")
        given = {"store": str(host.home / "store"), "host": host.address}
        sharing = stack.enter_context(_part(host, "source", given | self._known))
        self._link = sharing.event("sharing")["link"]
        self._reader = lab.host("reader", bad=True)
        assert self._reader.bad is not None
        self._reader.bad.shape(delay=DELAY)

    @property
    def _known(self) -> dict[str, Any]:
        return {"bootstrap": self._addresses}

    def read(self, store: Path, number: int) -> float | None:
        """Seconds from opening the store to the first bytes of a file not read before.

        The reader is killed once its book is on disk. None when it did not get anything.
        """
        given = {"store": str(store), "link": self._link, "file": f"/{number}.bin"}
        with _part(self._reader, "reader", given | self._known) as reader:
            seconds: float | None = reader.event("first")["seconds"]
            end = time.monotonic() + BOOK_TIME
            while not (store / BOOK).exists() and time.monotonic() < end:
                time.sleep(0.05)
        return seconds

    def stop_bootstraps(self) -> None:
        """Kill them all."""
        for node in self._nodes:
            node.process.kill()
            node.process.wait()


def _part(host: Host, role: str, given: dict[str, Any]) -> Program:
    words = (sys.executable, "-m", "benchmarks.jobs.restart", role, json.dumps(given))
    return Program(host, *words)


def _report(times: dict[str, list[float | None]]) -> Report:
    rows = [["time to first byte, ms", "runs", "failed", "median", "p95", "least", "most"]]
    missed: list[str] = []
    medians: dict[str, float] = {}
    for name, words in ROWS.items():
        good = [1000 * each for each in times[name] if each is not None]
        failed = len(times[name]) - len(good)
        if failed:
            missed.append(f"restart-warm: {failed} of {len(times[name])} {name} runs got nothing")
        figures = ["-"] * 4
        if good:
            medians[name] = median(good)
            numbers = (medians[name], quantile(good, 0.95), min(good), max(good))
            figures = [f"{each:.0f}" for each in numbers]
        rows.append([words, str(len(times[name])), str(failed), *figures])
    if medians.get("warm", 0) >= medians.get("cold", 0):
        missed.append("restart-warm: a known peer is no faster than a cold start")
    text = f"{aligned(rows)}\n{1000 * DELAY:.0f} ms injected each way at the reader's link"
    return Report("restart-warm", text, {"seconds": times, "median_ms": medians}, missed)
