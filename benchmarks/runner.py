"""Runs jobs on both sides in turn and keeps what each measured."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.catalogue import Run
from benchmarks.worker import SIDES, Worker

TIME_LIMIT = 300.0  # seconds for one process: several times what the slowest job takes alone
SHARED = "js:"
"""Before a role that JavaScript plays on both sides."""


@dataclass(frozen=True)
class Sample:
    """One run of one side."""

    metrics: dict[str, float]
    peak_mib: float  # the larger of its processes


@dataclass
class Samples:
    """All runs of one job: pairs at the size asked for, and one at a tenth of it."""

    holdfast: list[Sample] = field(default_factory=list)
    peer: list[Sample] = field(default_factory=list)
    tenth: Sample | None = None
    peer_tenth: Sample | None = None


async def sample(side: str, run: Run, arguments: dict[str, Any], scratch: Path) -> Sample:
    """Starts fresh processes of one side in turn and returns what the last one measured."""
    handed: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        workers = []
        for role in run.roles:
            shared, name = role.startswith(SHARED), role.removeprefix(SHARED)
            given = {**arguments, **handed, "role": name}
            worker = Worker("peer" if shared else side, run.script, scratch, given)
            workers.append(await stack.enter_async_context(worker))
            handed = await worker.result(TIME_LIMIT)
        mine = [
            w for w, role in zip(workers, run.roles, strict=True) if not role.startswith(SHARED)
        ]
        return Sample(handed, max(worker.peak_mib() for worker in mine))


async def measure(
    run: Run,
    *,
    size: str,
    shared: dict[str, Any],
    pairs: int,
    growth: bool,
    scratch: Path,
    progress: Callable[[str], None],
) -> Samples:
    """`pairs` runs of each side, alternating and changing who goes first; then the tenth size."""
    samples = Samples()
    arguments = {**shared, **run.arguments(size)}
    for number in range(pairs):
        for side in SIDES if number % 2 == 0 else SIDES[::-1]:
            progress(f"{run.name}: {side}, {number + 1} of {pairs}")
            getattr(samples, side).append(await sample(side, run, arguments, scratch))
    if growth and run.grows:
        progress(f"{run.name}: a tenth of the size")
        tenth = {**shared, **run.arguments(size, tenths=1)}
        samples.tenth = await sample("holdfast", run, tenth, scratch)
        samples.peer_tenth = await sample("peer", run, tenth, scratch)
    return samples
