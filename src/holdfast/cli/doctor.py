"""``holdfast doctor``: what works from here, what does not, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.network import network_of, network_options
from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI, plural, printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdfast.net.checks.finding import Finding
    from holdfast.node import Network

EXIT_ILL = 1
"""At least one check found an error."""


@click.command()
@click.option(
    "--listen", default="0.0.0.0:0", metavar="HOST:PORT", help="Where a node would listen."
)
@network_options
@common_options
@pass_settings
def command(
    settings: Settings,
    listen: str,
    bootstrap: tuple[str, ...],
    relay: tuple[str, ...],
    no_lan: bool,
) -> int:
    """Check what works from here: sockets, LAN, DHT, NAT, relay, clock, disk and store.

    Nothing is changed or announced. Exits with 1 when a check found an error.
    """
    from holdfast.cli.runtime import run_async

    network = network_of(settings, bootstrap, relay, no_lan)
    return run_async(_doctor(settings, network, listen))


async def _doctor(settings: Settings, network: Network, listen: str) -> int:
    from holdfast.net import parse_address
    from holdfast.node.doctor import examine

    address = parse_address(listen, default_host="0.0.0.0", default_port=0)
    return await report(settings.ui, examine(settings.directory, network, address=address))


async def report(ui: UI, findings: AsyncIterator[Finding]) -> int:
    """Print findings as they come, and how many there were of each kind; the exit status."""
    from holdfast.net.checks.finding import Severity

    counts = dict.fromkeys(Severity, 0)
    async for finding in findings:
        counts[finding.severity] += 1
        _print(ui, finding)
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    ui.event(
        "done",
        checks=sum(counts.values()),
        errors=errors,
        warnings=warnings,
        notes=counts[Severity.NOTE],
    )
    bad = f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"
    ui.say(f"{plural(sum(counts.values()), 'check')}: {bad if errors + warnings else 'all well'}")
    return EXIT_ILL if errors else 0


def _print(ui: UI, finding: Finding) -> None:
    ui.event(
        "check",
        code=finding.code,
        severity=finding.severity.value,
        message=finding.sentence,
        remedy=finding.remedy,
        facts=dict(finding.facts),
    )
    ui.say(f"{finding.severity:8} {finding.code:11} {printable(finding.sentence)}")
    if finding.remedy:
        ui.say(f"{'':20} {printable(finding.remedy)}")
