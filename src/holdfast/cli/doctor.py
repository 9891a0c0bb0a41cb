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
    from holdfast.node.doctor_peer import Target

EXIT_ILL = 1
"""At least one check found an error."""


@click.command()
@click.option(
    "--listen", default="0.0.0.0:0", metavar="HOST:PORT", help="Where a node would listen."
)
@click.option(
    "--peer",
    metavar="LINK|KEY|HOST:PORT",
    help="Which ways lead to this peer, and how long each takes, instead of all else.",
)
@network_options
@common_options
@pass_settings
def command(
    settings: Settings,
    listen: str,
    peer: str | None,
) -> int:
    """Check what works from here: sockets, LAN, DHT, NAT, relay, clock, disk and store.

    Nothing is changed or announced. Exits with 1 when a check found an error.
    """
    from holdfast.cli.runtime import run_async

    network = network_of(settings)
    if peer is not None:
        return run_async(_peer(settings, network, peer))
    return run_async(_doctor(settings, network, listen))


async def _doctor(settings: Settings, network: Network, listen: str) -> int:
    from holdfast.net import parse_address
    from holdfast.node.doctor import examine

    address = parse_address(listen, default_host="0.0.0.0", default_port=0)
    return await report(settings.ui, examine(settings.directory, network, address=address))


async def _peer(settings: Settings, network: Network, text: str) -> int:
    from holdfast.cli.runtime import patiently
    from holdfast.node.doctor_peer import examine_peer

    async with patiently(settings.ui, f"every way to {text}"):
        return await report(settings.ui, examine_peer(parse_peer(text), network))


def parse_peer(text: str) -> Target:
    """What ``--peer`` names: a link, a peer's public key, or an address. Raises `LinkError`."""
    from holdfast.encoding import parse_key, parse_link
    from holdfast.errors import LinkError
    from holdfast.net import Address, parse_address
    from holdfast.node.doctor_peer import Target

    if "://" in text:
        link = parse_link(text)
        return Target(tuple(Address(*each) for each in link.peers), drive_key=link.key)
    try:
        return Target(public_key=parse_key(text))
    except LinkError:
        if ":" not in text:
            raise
    return Target((parse_address(text),))


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
