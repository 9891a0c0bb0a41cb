"""``holdfast dial``: who is there?"""

from __future__ import annotations

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI


@click.command()
@click.argument("address")
@click.option("--key", metavar="KEY", help="The public key that must answer.")
@common_options
@pass_settings
def command(settings: Settings, address: str, key: str | None) -> None:
    """Connect to ADDRESS (HOST:PORT), show the public key that answers, and hang up."""
    from holdfast.cli.runtime import run_async

    run_async(_dial(settings.ui, address, key))


async def _dial(ui: UI, address: str, key: str | None) -> None:
    from holdfast.cli.barenode import reached
    from holdfast.encoding import key_text

    async with reached(ui, address, key) as connection:
        found = key_text(connection.remote_public_key)
        session = connection.handshake_hash[:8].hex()
        ui.event("connected", key=found, address=str(connection.remote_address), session=session)
        ui.say(f"connected to {found} at {connection.remote_address} (session {session})")
