"""What a node costs that does nothing: memory, processor, and bytes on the network."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.reports import Report, Say, aligned, line
from benchmarks.runner import TIME_LIMIT
from benchmarks.worker import Worker

SECONDS = {"full": 120, "smoke": 3}
NODES = {"full": 30, "smoke": 8}
SETTLE = 5.0
"""Seconds before the window: what starting costs is not what idling costs."""
MOST_MIB, MOST_CPU = 60.0, 0.5


async def report(size: str, scratch: Path, say: Say) -> Report:
    """One node of each side that has announced a topic, on a network of its own kind."""
    sides = {}
    for side in ("holdfast", "peer"):
        say(f"node-idle: {side}, {SECONDS[size]} s")
        sides[side] = await _idle(side, size, scratch)
    ours = sides["holdfast"]
    missed = []
    if ours["rssMiB"] > MOST_MIB:
        missed.append(f"node-idle: {ours['rssMiB']:.0f} MiB, more than {MOST_MIB:.0f}")
    if size == "full" and ours["cpuPercent"] > MOST_CPU:
        missed.append(f"node-idle: {ours['cpuPercent']:.2f} % CPU, more than {MOST_CPU}")
    rows = [["", "MiB", "% CPU", "bytes/h"]]
    for side, found in sides.items():
        name = "Holdfast" if side == "holdfast" else "JavaScript"
        figures = [f"{found['rssMiB']:.1f}", f"{found['cpuPercent']:.2f}"]
        rows.append([name, *figures, f"{found['bytesPerHour']:,.0f}"])
    text = (
        f"{aligned(rows)}\n"
        f"over {SECONDS[size]} s, among {NODES[size]} nodes; beside that, announcing the topic "
        f"once took {ours['announceBytes']:,.0f} bytes (done anew every ten minutes: "
        f"{6 * ours['announceBytes']:,.0f} an hour)"
    )
    memory = (ours["rssMiB"], sides["peer"]["rssMiB"])
    row = line("node-idle", *memory, "MiB", memory)
    return Report("node-idle", text, sides, missed, [row])


async def _idle(side: str, size: str, scratch: Path) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        arguments: dict[str, Any] = {
            "nodes": NODES[size],
            "seconds": SECONDS[size],
            "settle": SETTLE if size == "full" else 1,
        }
        for role in ("testnet", "node"):
            worker = Worker(side, "idle", scratch, {**arguments, "role": role})
            arguments |= await (await stack.enter_async_context(worker)).result(TIME_LIMIT)
        return arguments
