"""``holdfast switch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI, plural, printable
from holdfast.errors import LinkError, LocalError, StoreBusyError

if TYPE_CHECKING:
    from holdfast.node.switches import Answer, Order


Command = TypeVar("Command", bound=Callable[..., Any])


def _keys(name: str, words: str) -> Callable[[Command], Command]:
    return click.option(f"--{name}", multiple=True, metavar="KEY", help=words)


@click.command()
@click.argument("drive", required=False, metavar="[DRIVE]")
@click.option("--announce/--no-announce", default=None, help="Let it be found, or not.")
@click.option(
    "--upload/--no-upload", default=None, help="Give it to everybody who has its link, or nobody."
)
@_keys("allow", "Give it to the holder of this public key, too.")
@_keys("disallow", "Do not give it to the holder of this public key.")
@_keys("stop", "Give nothing at all to the holder of this public key.")
@_keys("resume", "Take --stop back.")
@common_options
@pass_settings
def command(settings: Settings, drive: str | None, **switches: Any) -> None:
    """Turn the switches of a DRIVE (a name of your own, or a link known here), or show them.

    While `holdfast share` or `holdfast up` runs on the store it takes effect at once, also for who
    is connected; else with the next `holdfast up`. What is not named stays as it is. Sharing a
    drive again turns --upload on, and --announce unless --unlisted; who was disallowed stays so.

    The key of a peer is shown when it connects, and by `holdfast status`.
    """
    from holdfast.cli.runtime import run_async

    run_async(_switch(settings, _order(drive, switches)))


def _order(drive: str | None, switches: dict[str, Any]) -> Order:
    from holdfast.cli.targets import newest, parse_target
    from holdfast.node.switches import Order

    keys: dict[str, Any] = {
        each: tuple(dict.fromkeys(map(_key, switches[each])))
        for each in ("allow", "disallow", "stop", "resume")
    }
    name = key = None
    if drive is not None:
        target = newest(parse_target(drive))
        if target.path.strip("/"):
            raise LocalError("Switches are for a whole drive.", "Leave the /PATH out.")
        name, key = target.name, target.link.key if target.link is not None else None
    return Order(name, key, switches["announce"], switches["upload"], **keys).check()


def _key(text: str) -> bytes:
    from holdfast.encoding.keys import parse_key

    try:
        return parse_key(text)
    except LinkError as error:
        raise LinkError(error.message, "`holdfast status` shows the keys of peers.") from None


async def _switch(settings: Settings, order: Order) -> None:
    found = await _live(settings, order)
    if found is None:
        try:
            found = await _at_rest(settings, order)
        except StoreBusyError as error:
            # It may have begun to take orders since.
            found = await _live(settings, order)
            if found is None:
                hint = "Stop it first: only `holdfast share` and `holdfast up` take orders."
                raise StoreBusyError(error.message, hint) from None
    show(settings.ui, found)
    if not found["drives"] and not order.turns_peers:
        settings.ui.note("no drives yet; `holdfast share PATH` makes one")


async def _live(settings: Settings, order: Order) -> Answer | None:
    """What the process answers that serves the store; None without one."""
    from holdfast.node.control import ask

    return await ask(settings.directory, {"do": "switch", "order": order.encode()})


async def _at_rest(settings: Settings, order: Order) -> Answer:
    from holdfast.cli.session import open_node
    from holdfast.node.switches import remember, standing

    async with open_node(settings) as node:
        remember(node.records, order)
        return standing(node, order)


def show(ui: UI, found: Answer) -> None:
    """How switches stand: what a process answers, or has just turned."""
    for each in found["drives"]:
        ui.event(
            "switches",
            drive=each["drive"],
            key=each["key"],
            announced=each["announced"],
            given=each["given"],
            to=each["to"],
            withheld=each["withheld"],
            live=each["live"],
        )
        ui.say(_sentence(each))
    ui.event("uploads", stopped=found["stopped"])
    for key in found["stopped"]:
        ui.say(f"nothing is given to {printable(key)}")


def _sentence(each: Answer) -> str:
    name = each["drive"] or f"hyper://{each['key']}"
    given = plural(len(each["to"]), "peer") if each["given"] == "some" else each["given"]
    but = f" but {plural(len(each['withheld']), 'peer')}" if each["withheld"] else ""
    announced = "announced" if each["announced"] else "not announced"
    live = "" if each["live"] else " (not served now)"
    return f"{printable(name)}  {announced}  given to {given}{but}{live}"
