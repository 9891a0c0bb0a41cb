"""``holdfast echo``: there and back again."""

from __future__ import annotations

import sys

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI


@click.command()
@click.argument("address")
@click.argument("text", required=False)
@common_options
@pass_settings
def command(settings: Settings, address: str, text: str | None) -> None:
    """Send TEXT (or standard input) to a node that listens on ADDRESS; print what comes back."""
    from holdfast.cli.runtime import run_async

    run_async(_echo(settings.ui, address, text))


async def _echo(ui: UI, address: str, text: str | None) -> None:
    from holdfast.cli.barenode import reached
    from holdfast.cli.runtime import standard_input
    from holdfast.net import Echo

    sent = received = 0

    def back(data: bytes) -> None:
        nonlocal received
        received += len(data)
        if not ui.json:
            sys.stdout.buffer.write(data)

    async with reached(ui, address) as connection:
        echo = Echo(connection, back)
        if text is not None:
            await echo.send(text.encode())
            sent = len(text.encode())
        else:
            async for piece in standard_input():
                await echo.send(piece)
                sent += len(piece)
        await echo.drain()
        echo.close()
    if text is not None:
        ui.say()
    sys.stdout.flush()
    ui.event("done", bytes=received, same=received == sent)
