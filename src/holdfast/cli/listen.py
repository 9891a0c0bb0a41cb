"""``holdfast listen``: the smallest node there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI

if TYPE_CHECKING:
    from holdfast.errors import HoldfastError
    from holdfast.net import Connection


@click.command()
@click.argument("address", default="127.0.0.1:0")
@common_options
@pass_settings
def command(settings: Settings, address: str) -> None:
    """Wait for connections on ADDRESS (HOST:PORT); answer ping and echo until Ctrl-C.

    The node is a fresh one with a key of its own; it needs no store and offers no drives.
    """
    from holdfast.cli.runtime import run_async

    run_async(_listen(settings.ui, address))


async def _listen(ui: UI, address: str) -> None:
    from holdfast.cli.runtime import until_stopped
    from holdfast.crypto import key_pair
    from holdfast.encoding import key_text
    from holdfast.net import Peers, serve_echo, serve_ping

    def opened(connection: Connection) -> None:
        serve_ping(connection)
        serve_echo(connection)
        _report(ui, connection)

    peers = Peers(key_pair(), opened)
    try:
        listener = await peers.listen(address)
        key = key_text(peers.key_pair.public_key)
        shown = [str(each) for each in listener.reachable]
        ui.event("listening", key=key, listen=shown)
        ui.say(f"listening on {', '.join(shown)}")
        ui.say(f"as {key}")
        ui.note("Ctrl-C stops it.")
        await until_stopped()
    finally:
        await peers.close()


def _report(ui: UI, connection: Connection) -> None:
    from holdfast.encoding import key_text

    key, address = key_text(connection.remote_public_key), str(connection.remote_address)
    ui.event("connected", key=key, address=address)
    ui.note(f"connected: {key} from {address}")

    def gone(reason: HoldfastError) -> None:
        ui.event(
            "disconnected",
            key=key,
            reason=reason.message,
            sent=connection.bytes_sent,
            received=connection.bytes_received,
        )
        ui.note(f"gone: {key}: {reason.message}")

    connection.on_close(gone)
