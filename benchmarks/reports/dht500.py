"""Many nodes of our own on one machine: how long lookups take, and how many nodes in a row."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.reports import Report, Say, aligned, line, quantile
from benchmarks.runner import TIME_LIMIT
from benchmarks.worker import Worker

NODES = {"full": 500, "smoke": 40}
LOOKUPS = {"full": 200, "smoke": 20}
IN_ONE = 100
"""Nodes in one process: two descriptors each, below the usual limit of 1024."""


async def report(size: str, scratch: Path, say: Say) -> Report:
    """Both sides build a network of the same size and look up topics in it."""
    sides = {}
    for side in ("holdfast", "peer"):
        say(f"dht-500: {side}")
        sides[side] = await _network(side, NODES[size], LOOKUPS[size], scratch)
    rows = [["", "nodes", "lookups", "p50 ms", "p95 ms", "most ms", "MiB a node"]]
    for side, found in sides.items():
        times = found["ms"]
        figures = [quantile(times, 0.5), quantile(times, 0.95), max(times), found["mib"]]
        name = "Holdfast" if side == "holdfast" else "JavaScript"
        counts = [str(NODES[size]), str(len(times))]
        rows.append([name, *counts, *(f"{value:.2f}" for value in figures)])
    ours = sides["holdfast"]
    hops = Counter(ours["hops"])
    told = ", ".join(f"{count} of {hop}" for hop, count in sorted(hops.items()))
    text = f"{aligned(rows)}\nhops (nodes in a row): {told}; "
    text += f"nodes asked in one lookup: {quantile(ours['asked'], 0.5):.0f}"
    figures_kept = {
        side: {
            "p50": quantile(found["ms"], 0.5),
            "p95": quantile(found["ms"], 0.95),
            "mib_per_node": found["mib"],
        }
        for side, found in sides.items()
    }
    p50s = [quantile(found["ms"], 0.5) for found in sides.values()]
    row = line("dht-500", p50s[0], p50s[1], "ms", (ours["mib"], sides["peer"]["mib"]))
    return Report("dht-500", text, {**figures_kept, "hops": dict(hops)}, [], [row])


async def _network(side: str, nodes: int, lookups: int, scratch: Path) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        workers: list[Worker] = []
        handed: dict[str, Any] = {}
        for start in range(0, nodes, IN_ONE):
            given = {"nodes": min(IN_ONE, nodes - start), "role": "testnet", **handed}
            worker = await stack.enter_async_context(Worker(side, "dht", scratch, given))
            workers.append(worker)
            handed = handed or await worker.result(TIME_LIMIT)
            if worker is not workers[0]:
                await worker.result(TIME_LIMIT)
        arguments = {**handed, "role": "lookups", "rounds": lookups}
        client = await stack.enter_async_context(Worker(side, "dht", scratch, arguments))
        found = await client.result(TIME_LIMIT)
        return {**found, "mib": sum(worker.peak_mib() for worker in workers) / nodes}
