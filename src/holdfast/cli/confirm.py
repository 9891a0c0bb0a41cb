"""``holdfast confirm``."""

from __future__ import annotations

import click

from holdfast.cli.options import Settings, common_options, pass_settings


@click.command()
@common_options
@pass_settings
def command(settings: Settings) -> None:
    """Say that this copy of a store is the only one that will write from now on.

    A store that was copied or restored from a backup refuses to change its own drives: if the
    original went on as well, a drive would split in two for good. Use this when the original is
    gone, or will never be used again.
    """
    from holdfast.cli.runtime import run_async

    run_async(_confirm(settings))


async def _confirm(settings: Settings) -> None:
    from holdfast.cli.session import open_node

    async with open_node(settings) as node:
        moved = node.store.storage.moved
        if moved:
            node.store.storage.confirm_moved()
        settings.ui.event("confirmed", moved=moved)
        settings.ui.say("this copy writes from now on" if moved else "nothing to confirm")
