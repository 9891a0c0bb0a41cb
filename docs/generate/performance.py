"""Puts the table of a benchmark run into the performance page, and nothing that was not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

WORDS = {
    "append-64k-b16": "append 64 KiB blocks, batches of 16",
    "append-100-durable": "append 100 B blocks, each acknowledged durable, 64 in flight",
    "append-100-single": "append 100 B blocks one at a time, with JavaScript's promise",
    "append-100-b1000": "append 100 B blocks, batches of 1,000",
    "replicate-64k-tcp": "replicate 64 KiB blocks over TCP",
    "replicate-100b-tcp": "replicate 100 B blocks over TCP",
    "bee-put": "tree: puts in batches of 1,000",
    "bee-get": "tree: gets",
    "bee-scan": "tree: full scan",
    "bee-remote-get-cold": "tree: remote get, cold",
    "drive-put-256m": "drive: put one large file",
    "drive-put-2000": "drive: put 2,000 files of 4 KiB",
    "drive-put-2000-batch": "drive: put 2,000 files of 4 KiB in a batch",
    "drive-download": "drive: download all of that",
    "drive-range-cold": "drive: first byte of a remote range, cold",
    "drive-range-warm": "drive: first byte of a remote range, warm",
    "peak-memory": "peak memory, the worst of the above",
}
"""What each job does; an unknown one is shown by its name."""


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: list[dict[str, Any]], growths: dict[str, dict[str, float]]) -> str:
    """One line per job, in the order they were run."""
    lines = [
        "| job | Holdfast | JavaScript | unit | ratio | to reach | share of limit "
        "| peak MiB | JavaScript | time ×10 | memory ×10 |",
        "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        share = row["share_of_limit"]
        grown = growths.get(row["job"], {})
        cells = [WORDS.get(row["job"], row["job"])]
        cells += [_number(row["holdfast"]), _number(row["peer"]), row["unit"]]
        cells += [f"**{row['ratio']:.2f}**", f"{row['target']:g}"]
        cells += ["–" if share is None else f"{share:.0%}"]
        cells += [_number(row["holdfast_rss"]), _number(row["peer_rss"])]
        cells += [_number(grown.get("time")), _number(grown.get("memory"))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine(details: dict[str, Any]) -> str:
    """What the machine itself can do, measured in the same run."""
    found = details["limits"]
    return (
        f"Size: {details['size']}. Machine: {details['cores']} cores; "
        f"hash {found['hash_mb']:.0f}, cipher {found['cipher_mb']:.0f}, "
        f"disk {found['disk_mb']:.0f}, loopback {found['loopback_mb']:.0f} MB/s; "
        f"{found['fsyncs_per_second']:.0f} flushes/s; round trip {found['round_trip_ms']:.3f} ms."
    )


def fill(page: Path, bench: Path) -> None:
    """Replace what stands between the two marks of the page by the run's ``bench.json``."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    rows = json.loads(bench.read_text(encoding="utf-8"))
    details = json.loads(bench.with_name("bench-details.json").read_text(encoding="utf-8"))
    growths = {one["job"]: one for one in details["growth"]}
    body = f"{machine(details)}\n\n{table(rows, growths)}"
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
    print(f"{page.name}: {len(rows)} jobs from {bench}")
