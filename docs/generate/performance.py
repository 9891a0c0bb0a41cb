"""Puts the table of a benchmark run into the performance page, and nothing that was not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def _number(value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mebibytes(value: Any) -> str:
    return "–" if value is None else f"{value / 2**20:,.0f}"


def table(rows: list[dict[str, Any]]) -> str:
    """One line per job, in the order they were run."""
    lines = [
        "| job | Holdfast | JavaScript | unit | ratio | to reach | share of limit "
        "| peak MiB, Holdfast | peak MiB, JavaScript |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["job"], _number(row["holdfast"]), _number(row["peer"]), row["unit"]]
        cells += [_number(row[name]) for name in ("ratio", "target", "share_of_limit")]
        cells += [_mebibytes(row[name]) for name in ("holdfast_rss", "peer_rss")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(page: Path, bench: Path) -> None:
    """Replace what stands between the two marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    rows = json.loads(bench.read_text(encoding="utf-8"))
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")
    print(f"{page.name}: {len(rows)} jobs from {bench}")
