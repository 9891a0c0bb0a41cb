"""``holdfast ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings, peer_option
from holdfast.cli.ui import UI, amount, printable

if TYPE_CHECKING:
    from holdfast.hyperdrive import DriveView
    from holdfast.hyperdrive.entry import FileEntry
    from holdfast.node import Node


@click.command()
@click.argument("target", required=False, metavar="[LINK[@VERSION][/PATH]]")
@click.option("--recursive", "-r", is_flag=True, help="Also what lies in folders.")
@click.option("--long", "-l", is_flag=True, help="Also sizes and kinds.")
@peer_option
@network_options
@common_options
@pass_settings
def command(
    settings: Settings, target: str | None, recursive: bool, long: bool, peer: tuple[str, ...]
) -> None:
    """List a folder of a drive, without fetching contents.

    Instead of a LINK the name of a drive of your own will do. Without any, your own drives and
    those opened before are listed.
    """
    from holdfast.cli.runtime import run_async

    run_async(_ls(settings, target, recursive, long, peer))


async def _ls(
    settings: Settings, text: str | None, recursive: bool, long: bool, peers: tuple[str, ...]
) -> None:
    from holdfast.cli.session import open_node, open_reader
    from holdfast.cli.targets import open_target, parse_target

    ui = settings.ui
    if text is None:
        async with open_node(settings) as node:
            _list_drives(ui, node)
        return
    target = parse_target(text)
    opened = open_reader(settings) if target.link is not None else open_node(settings)
    async with opened as node:
        view, path = await open_target(ui, node, target, peers)
        await _list_folder(ui, view, path, recursive, long)


def _list_drives(ui: UI, node: Node) -> None:
    from holdfast.encoding import key_text

    for record in node.records.all():
        key = key_text(record.key)
        ui.event("drive", drive=record.name, key=key, public=record.public)
        kind = "public" if record.public else "private"
        name = printable(record.name) if record.name is not None else "(of others)"
        ui.say(f"{name}  {kind}  hyper://{key}")
    if not node.records.all():
        ui.note("no drives yet; `holdfast share PATH` makes one")


async def _list_folder(ui: UI, view: DriveView, path: str, recursive: bool, long: bool) -> None:
    kind = (await view.stat(path)).kind
    top = "/" + path.strip("/")
    if kind != "folder":
        entry = await view.entry(path)
        assert entry is not None
        await _show(ui, view, entry, entry.name, long)
    elif recursive:
        skip = 1 if top == "/" else len(top) + 1
        async for entry in view.list(path):
            await _show(ui, view, entry, entry.path[skip:], long)
    else:
        async for name, found in view.scan(path):
            if found is not None:
                await _show(ui, view, found, name, long)
                continue
            ui.event("entry", path=f"{top.rstrip('/')}/{name}", type="folder")
            ui.say(f"{'':>10}  {printable(name)}/" if long else f"{printable(name)}/")


async def _show(ui: UI, view: DriveView, entry: FileEntry, name: str, long: bool) -> None:
    size = await view.size(entry) if long or ui.json else 0
    link = entry.linkname
    ui.event(
        "entry",
        path=entry.path,
        type="file" if link is None else "link",
        size=size,
        executable=entry.executable,
        target=link,
        version=entry.seq + 1,
    )
    shown = printable(name) + ("" if link is None else f" -> {printable(link)}")
    ui.say(f"{amount(size):>10}  {shown}" if long else shown)
