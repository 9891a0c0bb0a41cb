"""``holdfast get``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings, peer_option
from holdfast.cli.ui import UI, amount, plural, printable
from holdfast.errors import LinkError, PathError

if TYPE_CHECKING:
    from holdfast.cli.targets import Target
    from holdfast.node import Fetched


@click.command()
@click.argument("link")
@click.argument("dest", required=False, type=click.Path(path_type=Path))
@click.option(
    "--timeout",
    default=90.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a peer that has gone.",
)
@peer_option
@network_options
@common_options
@pass_settings
def command(
    settings: Settings, link: str, dest: Path | None, timeout: float, peer: tuple[str, ...]
) -> None:
    """Fetch what LINK points at (a drive, or a folder or file in it) into the folder DEST.

    Without DEST a new folder named after the drive's key is made. Files of the same name in DEST
    are replaced, others are left alone. Interrupted at any point, the same command goes on where
    it stopped; every block is checked against what the sharer signed.
    """
    from holdfast.cli.runtime import run_async

    run_async(_get(settings, link, dest, timeout, peer))


async def _get(
    settings: Settings, text: str, dest: Path | None, timeout: float, peers: tuple[str, ...]
) -> None:
    from holdfast.cli.progress import Progress
    from holdfast.cli.session import open_node
    from holdfast.cli.targets import open_target, parse_target

    ui, target = settings.ui, parse_target(text)
    folder = dest or _default_folder(target)
    if folder.exists() and not folder.is_dir():
        raise PathError(f"{folder} is not a folder.", "Name a folder to put the files into.")
    async with open_node(settings, online=True) as node:
        view, path = await open_target(ui, node, target, peers)
        with Progress(ui, "fetching") as bar:
            fetched = await node.fetch(
                view,
                path,
                folder,
                patience=timeout,
                progress=lambda at: bar.update(at.bytes, at.total_bytes),
                waiting=ui.waiting,
            )
        _report(ui, fetched, folder, view.version)


def _default_folder(target: Target) -> Path:
    if target.link is None:
        raise LinkError("To copy out a drive of your own, name a folder to put it into.")
    from holdfast.encoding import key_text

    return Path(f"holdfast-{key_text(target.link.key)[:8]}")


def _report(ui: UI, fetched: Fetched, folder: Path, version: int) -> None:
    mirrored = fetched.mirrored
    for path, error in mirrored.refused:
        ui.event("refused", path=path, code=error.code, message=error.message)
        ui.note(f"left out: {printable(error.message)}")
    ui.event(
        "done",
        files=fetched.files,
        bytes=fetched.bytes,
        received=fetched.received,
        written=mirrored.added + mirrored.changed,
        unchanged=mirrored.unchanged,
        refused=len(mirrored.refused),
        folder=str(folder),
        version=version,
    )
    ui.say(
        f"{plural(fetched.files, 'file')}, {amount(fetched.bytes)} in {printable(str(folder))}"
        f" ({amount(fetched.received)} received, every block checked)"
    )
    if mirrored.refused:
        raise PathError(
            f"{plural(len(mirrored.refused), 'file')} could not be written here; all others are.",
            f"The first: {mirrored.refused[0].error.message}",
        )
