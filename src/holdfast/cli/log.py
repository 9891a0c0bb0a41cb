"""``holdfast log``."""

from __future__ import annotations

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings, peer_option
from holdfast.cli.ui import amount, printable


@click.command()
@click.argument("target", metavar="LINK[@VERSION][/PATH]")
@click.option("--limit", "-n", default=50, show_default=True, help="Lines at most; 0 for all.")
@peer_option
@network_options
@common_options
@pass_settings
def command(settings: Settings, target: str, limit: int, peer: tuple[str, ...]) -> None:
    """Show how a drive changed, newest first.

    The number in front is the version that a change made: `holdfast ls LINK@VERSION` looks at it.
    """
    from holdfast.cli.runtime import run_async

    run_async(_log(settings, target, limit, peer))


async def _log(settings: Settings, text: str, limit: int, peers: tuple[str, ...]) -> None:
    from holdfast.cli.session import open_node, open_reader
    from holdfast.cli.targets import open_target, parse_target

    ui, target = settings.ui, parse_target(text)
    opened = open_reader(settings) if target.link is not None else open_node(settings)
    async with opened as node:
        view, path = await open_target(ui, node, target, peers)
        async for change in view.log(path, reverse=True, limit=limit or -1):
            entry = change.entry
            size = await view.size(entry) if entry is not None else 0
            ui.event(
                "change", version=change.version, type=change.kind, path=change.path, size=size
            )
            words = "deleted" if entry is None else amount(size)
            ui.say(f"{change.version:>8}  {words:>10}  {printable(change.path)}")
