"""``holdfast up``: a node that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.network import NO_LAN, RELAY, TRACE
from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI, plural

if TYPE_CHECKING:
    from holdfast.node import Node
    from holdfast.node.online import Online

BE_ONE = "-"
"""What ``--bootstrap`` stands for without a value."""


@click.command()
@click.option(
    "--bootstrap",
    multiple=True,
    is_flag=False,
    flag_value=BE_ONE,
    metavar="[HOST:PORT]",
    help="Without a value: be a DHT node for others to begin with. With one: begin there.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where to take connections (default: every interface, the port of last time).",
)
@click.option("--no-relay", is_flag=True, help="Do not carry data between others.")
@RELAY
@NO_LAN
@TRACE
@common_options
@pass_settings
def command(
    settings: Settings, bootstrap: tuple[str, ...], listen: str | None, no_relay: bool
) -> None:
    """Run a node until Ctrl-C: serve what was shared, and help others to find each other.

    It serves every drive that was shared from this store and not taken back. With --bootstrap
    alone it is the first node of a DHT of its own; the same port number takes UDP for the DHT
    and TCP for connections, and as a relay for those who cannot be reached otherwise.
    """
    from holdfast.cli.runtime import run_async

    settings.bootstrap = tuple(each for each in bootstrap if each != BE_ONE)
    first = BE_ONE in bootstrap
    run_async(_up(settings, listen, first=first, relays=not no_relay))


async def _up(settings: Settings, listen: str | None, *, first: bool, relays: bool) -> None:
    from dataclasses import replace

    from holdfast.cli.network import network_of, show_steps
    from holdfast.cli.runtime import until_stopped
    from holdfast.cli.serving import listen_on, taking_orders, watch_connections
    from holdfast.cli.session import open_node

    ui, network = settings.ui, network_of(settings)
    async with open_node(settings) as node:
        addresses = await listen_on(node, listen)
        (bound,) = node.peers.listeners[-1].addresses[:1]
        network = replace(network, udp=str(bound))
        online = await node.go_online(network, first=first, serves=relays)
        show_steps(settings, node)
        drives = await node.share_again()
        async with taking_orders(ui, node):
            _report(ui, node, online, addresses, drives, first=first)
            watch_connections(ui, node)
            await until_stopped()
    ui.event("stopped")


def _report(
    ui: UI, node: Node, online: Online, addresses: list[str], drives: int, *, first: bool
) -> None:
    from holdfast.encoding import key_text

    key = key_text(node.key_pair.public_key)
    dht = None if online.dht is None else f"{online.dht.host}:{online.dht.port}"
    ui.event(
        "up",
        key=key,
        listen=addresses,
        dht=dht,
        bootstrap=first,
        relay=online.relaying is not None and online.relaying.server is not None,
        drives=drives,
    )
    ui.say(f"up as {key}")
    ui.say(f"listening on {', '.join(addresses)}")
    if first:
        ui.note(f"Others begin here: --bootstrap {addresses[0]}")
    ui.note(f"{plural(drives, 'drive')} served; Ctrl-C stops it.")
