"""python -m benchmarks [--jobs a,b] [--size full|smoke] [--pairs N]"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import catalogue, limits, report, reports, runner
from benchmarks.catalogue import MIB, Row, Run
from benchmarks.runner import Samples
from benchmarks.worker import JobError
from tests.interop.peer import missing_peers

BUILD = Path("build").resolve()
ALL = (*catalogue.JOBS, *reports.NAMES)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--jobs", help=f"comma separated, of: {', '.join(ALL)}")
    parser.add_argument("--size", choices=["full", "smoke"], default="full")
    parser.add_argument("--smoke", dest="size", action="store_const", const="smoke")
    parser.add_argument("--pairs", type=int, help="runs of each side (full: 3, smoke: 1)")
    parser.add_argument(
        "--durability",
        choices=["process", "power"],
        default="process",
        help="what Holdfast's stores promise; process is what JavaScript's promise",
    )
    parser.add_argument("--no-growth", action="store_true", help="leave out the tenth-size runs")
    parser.add_argument("--scratch", help="where stores go while they are measured; must be a disk")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def wanted(jobs: str | None) -> tuple[list[Row], list[str]]:
    """Rows and reports to make; all of them when none is named."""
    if jobs is None:
        return catalogue.chosen(None), list(reports.NAMES)
    names = jobs.split(",")
    told = [name for name in names if name in reports.NAMES]
    rest = [name for name in names if name not in reports.NAMES]
    return catalogue.chosen(rest) if rest else [], told


async def main(options: argparse.Namespace) -> int:
    """Measures, prints the tables, writes the files; 1 when a job failed."""
    rows, told = wanted(options.jobs)
    measured: dict[str, Samples] = {}
    made: list[reports.Report] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="holdfast-bench-") as name:
        scratch = Path(name)
        say("measuring this machine")
        machine = limits.measure(scratch, (256 if options.size == "full" else 32) * MIB)
        await measure_rows(options, rows, machine, scratch, measured, failed)
        for wish in told:
            try:
                made.append(await reports.reporters()[wish](options.size, scratch, say))
            except JobError as error:
                failed.append(str(error))
                say(f"FAILED: {error}")
    done = [row for row in rows if row.run.name in measured]
    lines = [report.line_of(row, measured[row.run.name], machine) for row in done]
    growths = [report.growth_of(row, measured[row.run.name]) for row in done]
    if lines:
        lines.append(report.peak_memory(lines))
    details = {
        "size": options.size,
        "durability": options.durability,
        "cores": os.cpu_count(),
        "limits": asdict(machine),
        "growth": [asdict(one) for one in growths if one],
        "samples": {name: asdict(samples) for name, samples in measured.items()},
        "reports": {one.name: asdict(one) for one in made},
        "failed": failed,
    }
    report.write(BUILD, [*lines, *(line for one in made for line in one.lines)], details)
    if lines:
        print(report.table(lines, {one.job: one for one in growths if one}))
    print(machine_line(machine))
    for one in made:
        print("\n".join(["", one.name, one.text, *(f"MISSED {each}" for each in one.missed)]))
    return 1 if failed else 0


async def measure_rows(
    options: argparse.Namespace,
    rows: list[Row],
    machine: limits.Limits,
    scratch: Path,
    measured: dict[str, Samples],
    failed: list[str],
) -> None:
    """Runs what the rows need, each once, and says what came of it."""
    full = options.size == "full"
    runs: dict[str, Run] = {row.run.name: row.run for row in rows}
    for run in runs.values():
        try:
            measured[run.name] = await runner.measure(
                run,
                size=options.size,
                shared={"durability": options.durability},
                pairs=options.pairs or (3 if full else 1),
                growth=full and not options.no_growth,
                scratch=scratch,
                progress=say,
            )
        except JobError as error:
            failed.append(str(error))
            say(f"FAILED: {error}")
            continue
        for row in rows:
            if row.run is run:
                say(report.brief(report.line_of(row, measured[run.name], machine)))


def machine_line(machine: limits.Limits) -> str:
    return (
        f"this machine: hash {machine.hash_mb:.0f}, cipher {machine.cipher_mb:.0f}, "
        f"disk {machine.disk_mb:.0f}, loopback {machine.loopback_mb:.0f} MB/s; "
        f"{machine.fsyncs_per_second:.0f} flushes/s; "
        f"{machine.preads_per_second:.0f} small reads/s; "
        f"round trip {machine.round_trip_ms:.3f} ms"
    )


if __name__ == "__main__":
    if reason := missing_peers():
        sys.exit(f"The benchmarks measure JavaScript too: {reason}")
    sys.exit(asyncio.run(main(arguments())))
