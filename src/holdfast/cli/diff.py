"""``holdfast diff``."""

from __future__ import annotations

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings, peer_option
from holdfast.cli.ui import printable
from holdfast.errors import NotFoundError

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@click.command()
@click.argument("target", metavar="LINK[@VERSION][/PATH]")
@click.argument("since", type=click.IntRange(min=0))
@peer_option
@network_options
@common_options
@pass_settings
def command(settings: Settings, target: str, since: int, peer: tuple[str, ...]) -> None:
    """Show what was added (+), removed (-) and changed (~) in a drive after version SINCE."""
    from holdfast.cli.runtime import run_async

    run_async(_diff(settings, target, since, peer))


async def _diff(settings: Settings, text: str, since: int, peers: tuple[str, ...]) -> None:
    from holdfast.cli.session import open_node, open_reader
    from holdfast.cli.targets import open_target, parse_target

    ui, target = settings.ui, parse_target(text)
    opened = open_reader(settings) if target.link is not None else open_node(settings)
    async with opened as node:
        view, path = await open_target(ui, node, target, peers)
        if since > view.version:
            raise NotFoundError(f"The drive has no version {since}, only {view.version}.")
        count = dict.fromkeys(SIGNS, 0)
        async for change in view.diff(max(1, since), path):
            count[change.kind] += 1
            ui.event("difference", type=change.kind, path=change.path)
            ui.say(f"{SIGNS[change.kind]} {printable(change.path)}")
        ui.event("done", since=since, version=view.version, **count)
