"""``holdfast mv``."""

from __future__ import annotations

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import plural, printable
from holdfast.errors import LocalError


@click.command()
@click.argument("source", metavar="NAME/PATH")
@click.argument("to", metavar="NEWPATH")
@common_options
@pass_settings
def command(settings: Settings, source: str, to: str) -> None:
    """Rename a file or folder in a drive of your own; nothing is stored again.

    NEWPATH is a path in the same drive (NAME/PATH will do as well).
    """
    from holdfast.cli.runtime import run_async

    run_async(_mv(settings, source, to))


async def _mv(settings: Settings, text: str, to: str) -> None:
    from holdfast.cli.session import open_node
    from holdfast.cli.targets import newest, open_own, parse_target

    source = newest(parse_target(text))
    async with open_node(settings) as node:
        drive = await open_own(node, source)
        path = _inside(to, source.name)
        moved = await drive.rename(source.path, path)
        settings.ui.event("moved", path=source.path, to=path, files=moved, version=drive.version)
        settings.ui.say(f"{printable(source.path)} -> {printable(path)} ({plural(moved, 'file')})")


def _inside(to: str, name: str | None) -> str:
    """The new path in the drive, whichever way it was written."""
    if "://" in to:
        raise LocalError("The new name is a path in the same drive, not a link.")
    if name is not None and to.startswith(name + "/"):
        return to[len(name) :]
    return to if to.startswith("/") else "/" + to
