"""Turns samples into rows: ratios, shares of the machine's limit, growth; writes them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.catalogue import PEAK_MEMORY, Row
from benchmarks.limits import Limits
from benchmarks.runner import Sample, Samples

MEMORY_TARGET = 2.0  # half of the peer's peak, or less


@dataclass(frozen=True)
class Line:
    """One line of the table. Memory is in MiB; a ratio above 1 means that Holdfast is better."""

    job: str
    holdfast: float
    peer: float
    unit: str
    ratio: float
    target: float
    share_of_limit: float | None
    holdfast_rss: float
    peer_rss: float


@dataclass(frozen=True)
class Growth:
    """How cost grows from a tenth of the size to the size: 10 is linear for time, 1 is flat."""

    job: str
    time: float
    memory: float
    peer_time: float
    peer_memory: float


def line_of(row: Row, samples: Samples, limits: Limits) -> Line:
    """The row's medians; its ratio is the median of the ratios of the pairs."""
    ours = [one.metrics[row.metric] for one in samples.holdfast]
    theirs = [one.metrics[row.metric] for one in samples.peer]
    pairs = zip(ours, theirs, strict=True)
    ratios = [b / a if row.less_is_better else a / b for a, b in pairs]
    value, limit = median(ours), row.limit(limits)
    return Line(
        row.job,
        _short(value),
        _short(median(theirs)),
        row.unit,
        _short(median(ratios)),
        row.target,
        _short(limit / value if row.less_is_better else value / limit),
        _short(median(one.peak_mib for one in samples.holdfast)),
        _short(median(one.peak_mib for one in samples.peer)),
    )


def peak_memory(lines: list[Line]) -> Line:
    """The row in which Holdfast's peak memory compares worst with the peer's.

    Networks of a hundred nodes in one process do not count: they are nobody's machine.
    """
    lines = [line for line in lines if not line.job.startswith("dht-")] or lines
    worst = min(lines, key=lambda line: line.peer_rss / line.holdfast_rss)
    ratio = _short(worst.peer_rss / worst.holdfast_rss)
    ours, theirs = worst.holdfast_rss, worst.peer_rss
    return Line(PEAK_MEMORY, ours, theirs, "MiB", ratio, MEMORY_TARGET, None, ours, theirs)


def growth_of(row: Row, samples: Samples) -> Growth | None:
    """How the row's time and memory grew over ten times the size, on both sides."""
    if samples.tenth is None or samples.peer_tenth is None:
        return None
    time, memory = _grown(row, samples.holdfast, samples.tenth)
    peer_time, peer_memory = _grown(row, samples.peer, samples.peer_tenth)
    return Growth(row.job, time, memory, peer_time, peer_memory)


def _grown(row: Row, full: list[Sample], tenth: Sample) -> tuple[float, float]:
    now, before = median(one.metrics[row.metric] for one in full), tenth.metrics[row.metric]
    time = now / before if row.less_is_better else 10 * before / now
    return _short(time), _short(median(one.peak_mib for one in full) / tenth.peak_mib)


def brief(line: Line) -> str:
    """One line in a sentence, for whoever watches a long run."""
    ratio = f"{line.ratio:.2f} times JavaScript"
    return f"  {line.job}: {line.holdfast:,.6g} {line.unit}, {ratio}, {line.holdfast_rss:.0f} MiB"


def table(lines: list[Line], growths: dict[str, Growth]) -> str:
    """The lines as text, one per row, aligned."""
    head = [
        "job", "Holdfast", "JavaScript", "unit", "ratio", "target", "", "of limit",
        "MiB", "JS MiB", "memory", "x10 time", "x10 MiB",
    ]  # fmt: skip
    body = [_cells(line, growths.get(line.job)) for line in lines]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    texts = [
        "  ".join(
            cell.ljust(width) if i in (0, 3, 6) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *body]
    ]
    return "\n".join(text.rstrip() for text in texts)


def _cells(line: Line, growth: Growth | None) -> list[str]:
    share = "" if line.share_of_limit is None else f"{line.share_of_limit:.1%}"
    grown = ["", ""] if growth is None else [f"{growth.time:.2g}", f"{growth.memory:.2f}"]
    return [
        line.job,
        f"{line.holdfast:,.6g}",
        f"{line.peer:,.6g}",
        line.unit,
        f"{line.ratio:.2f}",
        f"{line.target:g}",
        "ok" if line.ratio >= line.target else "short",
        share,
        f"{line.holdfast_rss:.0f}",
        f"{line.peer_rss:.0f}",
        f"{line.peer_rss / line.holdfast_rss:.2f}",
        *grown,
    ]


def write(directory: Path, lines: list[Line], details: dict[str, Any]) -> None:
    """Writes bench.json, the promised shape, and bench-details.json with everything else."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [asdict(line) for line in lines]
    (directory / "bench.json").write_text(json.dumps(rows, indent=2) + "\n")
    (directory / "bench-details.json").write_text(json.dumps(details, indent=2) + "\n")


def _short(value: float) -> float:
    """Four digits: more would claim a precision that no run has."""
    return float(f"{value:.4g}")
