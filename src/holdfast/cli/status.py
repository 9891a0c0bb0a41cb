"""``holdfast status``."""

from __future__ import annotations

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import amount, plural, printable
from holdfast.errors import UnavailableError


@click.command()
@common_options
@pass_settings
def command(settings: Settings) -> None:
    """Show what the running node of a store does.

    That is `holdfast share` or `holdfast up` on this store: who is connected with it, and what
    is announced and given to whom.
    """
    from holdfast.cli.runtime import run_async

    run_async(_status(settings))


async def _status(settings: Settings) -> None:
    from holdfast.cli.switch import show
    from holdfast.node.control import ask

    ui = settings.ui
    found = await ask(settings.directory, {"do": "status"})
    if found is None:
        raise UnavailableError(
            "No process serves this store now.",
            "`holdfast share PATH` or `holdfast up` does; `holdfast switch` shows the switches.",
        )
    ui.event("serving", key=found["key"], listen=found["listen"])
    ui.say(f"up as {printable(found['key'])}, listening on {', '.join(found['listen'])}")
    for each in found["connections"]:
        ui.event(
            "connection",
            key=each["key"],
            address=each["address"],
            route=each["route"],
            sent=each["sent"],
            received=each["received"],
        )
        sent, received = amount(each["sent"]), amount(each["received"])
        ui.say(f"{each['key']}  {each['address']} ({each['route']})  {sent} sent, {received} back")
    ui.note(plural(len(found["connections"]), "connection"))
    show(ui, found)
