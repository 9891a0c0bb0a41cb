"""``holdfast rm``."""

from __future__ import annotations

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import plural
from holdfast.errors import LocalError, NotFoundError


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="NAME/PATH...")
@click.option("--recursive", "-r", is_flag=True, help="Delete folders with all that is in them.")
@common_options
@pass_settings
def command(settings: Settings, targets: tuple[str, ...], recursive: bool) -> None:
    """Delete files or folders from a drive of your own (by NAME or LINK).

    Older versions keep them, and so does whoever fetched them.
    """
    from holdfast.cli.runtime import run_async

    run_async(_rm(settings, targets, recursive))


async def _rm(settings: Settings, texts: tuple[str, ...], recursive: bool) -> None:
    from holdfast.cli.session import open_node
    from holdfast.cli.targets import newest, open_own, parse_target

    async with open_node(settings) as node:
        count = 0
        for target in [newest(parse_target(text)) for text in texts]:
            drive = await open_own(node, target)
            if not target.path.strip("/") and not recursive:
                raise LocalError("This would empty the drive.", "Add --recursive if you mean it.")
            if (await drive.stat(target.path)).kind == "folder" and not recursive:
                raise LocalError(f"{target.path} is a folder.", "Add --recursive to delete it.")
            gone = await drive.delete(target.path, recursive=recursive)
            if not gone:
                raise NotFoundError(f"There is nothing under {target.path} in this drive.")
            count += gone
            settings.ui.event("removed", path=target.path, files=gone, version=drive.version)
        settings.ui.say(f"{plural(count, 'file')} deleted")
