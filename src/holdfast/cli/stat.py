"""``holdfast stat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings, peer_option
from holdfast.cli.ui import UI, amount, plural, printable

if TYPE_CHECKING:
    from holdfast.hyperdrive import DriveView


@click.command()
@click.argument("target", metavar="LINK[@VERSION][/PATH]")
@peer_option
@network_options
@common_options
@pass_settings
def command(settings: Settings, target: str, peer: tuple[str, ...]) -> None:
    """Show what is known about a drive, a folder or a file, without fetching contents."""
    from holdfast.cli.runtime import run_async

    run_async(_stat(settings, target, peer))


async def _stat(settings: Settings, text: str, peers: tuple[str, ...]) -> None:
    from holdfast.cli.session import open_node, open_reader
    from holdfast.cli.targets import open_target, parse_target

    target = parse_target(text)
    opened = open_reader(settings) if target.link is not None else open_node(settings)
    async with opened as node:
        view, path = await open_target(settings.ui, node, target, peers)
        found = await view.stat(path)
        if found.kind == "folder":
            await _folder(settings.ui, view, path)
        else:
            await _file(settings.ui, view, path)


async def _folder(ui: UI, view: DriveView, path: str) -> None:
    from holdfast.encoding import key_text

    files = links = size = 0
    async for entry in view.list(path):
        if entry.linkname is not None:
            links += 1
        else:
            files += 1
            size += await view.size(entry)
    key = key_text(view.key)
    private = view.encryption_key is not None
    ui.event(
        "stat",
        path=path,
        type="folder",
        files=files,
        links=links,
        bytes=size,
        key=key,
        version=view.version,
        private=private,
        writable=view.writable,
    )
    ui.say(f"{printable(path)}: {plural(files, 'file')}, {amount(size)} ({size:,} bytes)")
    if links:
        ui.say(f"symbolic links: {links:,}")
    ui.say(f"drive: hyper://{key}")
    ui.say(f"version: {view.version}, {'private' if private else 'public'}")


async def _file(ui: UI, view: DriveView, path: str) -> None:
    entry = await view.entry(path)
    assert entry is not None
    size, here = await view.size(entry), await view.has(entry)
    kind = "file" if entry.linkname is None else "link"
    ui.event(
        "stat",
        path=entry.path,
        type=kind,
        size=size,
        executable=entry.executable,
        target=entry.linkname,
        version=entry.seq + 1,
        metadata=entry.metadata,
        here=here,
    )
    ui.say(f"{printable(entry.path)}: {kind}, {amount(size)} ({size:,} bytes)")
    if entry.linkname is not None:
        ui.say(f"leads to: {printable(entry.linkname)}")
    if entry.executable:
        ui.say("executable")
    ui.say(f"since version {entry.seq + 1}; its content is {'' if here else 'not '}here")
