"""``holdfast share``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI, amount, plural, printable

if TYPE_CHECKING:
    from holdfast.hyperdrive import Drive
    from holdfast.node import Node

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Time(click.ParamType):  # type: ignore[type-arg]
    name = "TIME"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a time such as 90s, 30m, 2h or 1d", param, ctx)
        return int(found[1]) * UNITS[found[2]]


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@click.option("--name", help="What the drive is called here (default: the first PATH's name).")
@click.option("--public", is_flag=True, help="Leave encryption off: the key alone opens the drive.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where to serve (default: every interface, the port of last time).",
)
@click.option(
    "--peer",
    multiple=True,
    metavar="HOST:PORT",
    help="First fetch what is newer there (after restoring an older copy of the store).",
)
@click.option("--unlisted", is_flag=True, help="Announce it nowhere: give the address yourself.")
@click.option("--once", is_flag=True, help="Stop when somebody has fetched all of it.")
@click.option("--expires", type=_Time(), default=None, help="Stop serving after 90s, 30m, 2h, 1d.")
@network_options
@common_options
@pass_settings
def command(
    settings: Settings,
    paths: tuple[Path, ...],
    name: str | None,
    public: bool,
    listen: str | None,
    peer: tuple[str, ...],
    unlisted: bool,
    once: bool,
    expires: float | None,
) -> None:
    """Put files and folders into a drive, print its link, and serve it until Ctrl-C.

    A new drive is private: its content is encrypted, and the part of the link after the # opens it.
    Sharing again under the same name updates the drive; the link stays the same, and what
    did not change is not stored again.

    Sharing announces the drive: whoever has the link finds this machine on the same network, and
    with --bootstrap from anywhere. With --listen the link carries the address, too.
    """
    from holdfast.cli.runtime import run_async

    run_async(
        _share(
            settings,
            paths,
            name or None,
            public or None,
            listen,
            peer,
            announce=not unlisted,
            once=once,
            expires=expires,
        )
    )


async def _share(
    settings: Settings,
    paths: tuple[Path, ...],
    name: str | None,
    public: bool | None,
    listen: str | None,
    peers: tuple[str, ...],
    *,
    announce: bool,
    once: bool,
    expires: float | None,
) -> None:
    from holdfast.cli.intake import sources, take_in
    from holdfast.cli.serving import (
        listen_on,
        serve,
        taking_orders,
        watch_announcing,
        watch_connections,
    )
    from holdfast.cli.session import open_node

    ui, taken = settings.ui, sources(paths)
    async with open_node(settings, online=True) as node:
        drive = await node.drive(name=name or next(iter(taken)), public=public)
        for peer in peers:
            await node.catch_up(drive, peer)
        refused = await take_in(ui, drive, taken)
        addresses = await listen_on(node, listen)
        await node.share(drive, announce=announce)
        # A link with an address goes stale with it: only one that was chosen is put in.
        link = node.link(drive, addresses=bool(listen) or not announce)

        async def tell() -> None:
            await _announce(ui, node, drive, str(link), addresses, refused)
            watch_connections(ui, node)  # `sharing` is the first line of all
            if announce:
                watch_announcing(ui, node, drive)

        async with taking_orders(ui, node):
            await serve(drive, tell, once=once, seconds=expires)
        ui.event("stopped")


async def _announce(
    ui: UI, node: Node, drive: Drive, link: str, addresses: list[str], refused: int
) -> None:
    from holdfast.encoding import key_text

    files = size = 0
    async for entry in drive.list():
        files += 1
        size += await drive.size(entry)
    record = node.records.get(drive.key)
    name = record.name if record is not None and record.name is not None else ""
    ui.event(
        "sharing",
        link=link,
        key=key_text(drive.key),
        listen=addresses,
        files=files,
        bytes=size,
        drive=name,
        public=drive.encryption_key is None,
        version=drive.version,
        refused=refused,
    )
    kind = "public" if drive.encryption_key is None else "private"
    ui.note(f"{printable(name)} ({kind}): {plural(files, 'file')}, {amount(size)}")
    if ui.terminal:
        from holdfast.cli.qr import qr_code

        ui.note(qr_code(link))
    ui.say(link)
    ui.note(f"Served from {', '.join(addresses)} until Ctrl-C; {_announced(node, drive)}.")
    ui.note("Whoever has the whole link can fetch it: holdfast get LINK")


def _announced(node: Node, drive: Drive) -> str:
    """Where it is announced, for people."""
    if not node.policy.announces(drive.discovery_key) or node.online is None:
        return "announced nowhere"
    network = node.online.network
    places = ["on this machine"] if network.machine else []
    places += ["on this network"] if network.lan else []
    places += ["in the DHT"] if network.bootstrap else []
    places += ["at the relay"] if network.relays else []
    return "announced " + " and ".join(places or ["nowhere"])
