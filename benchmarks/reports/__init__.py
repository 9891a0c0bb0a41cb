"""Measurements that are more than a ratio: each gives a text to read and figures to keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import Line

Say = Callable[[str], None]
Reporter = Callable[[str, Path, Say], Awaitable["Report"]]
"""Takes the size (full or smoke), a folder for stores, and where to say how far it is."""


@dataclass
class Report:
    """What was measured, and which targets were missed."""

    name: str
    text: str
    figures: dict[str, Any]
    missed: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    """What of it can be said as a ratio."""


def reporters() -> dict[str, Reporter]:
    """Every report by its name, imported when asked for."""
    from benchmarks.reports import dht500, idle, restart

    return {"dht-500": dht500.report, "node-idle": idle.report, "restart-warm": restart.report}


NAMES = ("dht-500", "node-idle", "restart-warm")


def line(job: str, ours: float, theirs: float, unit: str, mib: tuple[float, float]) -> Line:
    """A line of the table of ratios, for a figure of which less is better."""
    values = [float(f"{value:.4g}") for value in (ours, theirs, theirs / ours, *mib)]
    return Line(job, values[0], values[1], unit, values[2], 1.0, None, values[3], values[4])


def aligned(rows: list[list[str]]) -> str:
    """Rows of cells as text: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
