"""``holdfast ping``: how long a round trip takes."""

from __future__ import annotations

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI


@click.command()
@click.argument("address")
@click.option("--count", "-c", default=4, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--interval", default=0.25, show_default=True, help="Seconds between two pings.")
@common_options
@pass_settings
def command(settings: Settings, address: str, count: int, interval: float) -> None:
    """Measure round trips to a node that listens on ADDRESS (HOST:PORT)."""
    from holdfast.cli.runtime import run_async

    run_async(_ping(settings.ui, address, count, interval))


async def _ping(ui: UI, address: str, count: int, interval: float) -> None:
    import asyncio

    from holdfast.cli.barenode import reached
    from holdfast.net import ping

    times = []
    async with reached(ui, address) as connection:
        for number in range(1, count + 1):
            if number > 1:
                await asyncio.sleep(interval)
            times.append(1000 * await ping(connection))
            ui.event("ping", number=number, ms=round(times[-1], 3))
            ui.say(f"{number}: {times[-1]:.2f} ms")
    low, mean, high = min(times), sum(times) / count, max(times)
    ui.event("done", count=count, min=round(low, 3), mean=round(mean, 3), max=round(high, 3))
    ui.say(f"least {low:.2f} ms, mean {mean:.2f} ms, most {high:.2f} ms")
