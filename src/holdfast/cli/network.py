"""Options that say how others are found, and the configuration file behind them.

What the command line says counts before the environment, and that before ``holdfast.toml``: the
file ``HOLDFAST_CONFIG`` names, or the one in the store's folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from holdfast.cli.options import Settings, settings_of
from holdfast.cli.ui import printable
from holdfast.errors import LocalError

if TYPE_CHECKING:
    from holdfast.net.swarm.trace import Step
    from holdfast.node import Network, Node

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = "holdfast.toml"
MAX_FILE = 1 << 20
"""Bytes of a configuration file; more is something else."""

_TABLE = "network"
_KINDS: dict[str, type] = {"bootstrap": list, "relays": list, "lan": bool}


def network_options(command: Command) -> Command:
    """Give a verb the options that say how others are found."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(settings_of(context), name, value)

    return keep


_BOOTSTRAP = click.option(
    "--bootstrap",
    multiple=True,
    metavar="HOST:PORT",
    expose_value=False,
    callback=_keep("bootstrap"),
    help="A DHT node to begin with (or HOLDFAST_BOOTSTRAP); without one, no DHT is used.",
)
RELAY = click.option(
    "--relay",
    multiple=True,
    metavar="ADDRESS",
    expose_value=False,
    callback=_keep("relays"),
    help="A relay to use where no direct way leads (or HOLDFAST_RELAY).",
)
"""Gives a verb ``--relay``."""
NO_LAN = click.option(
    "--no-lan",
    is_flag=True,
    expose_value=False,
    callback=_keep("no_lan"),
    help="Do not use this machine's and this network's ways of finding others.",
)
"""Gives a verb ``--no-lan``."""
TRACE = click.option(
    "--trace",
    is_flag=True,
    expose_value=False,
    callback=_keep("trace"),
    help="Show each step on the way to others: who was found, what was tried, what came of it.",
)
"""Gives a verb ``--trace``."""
_OPTIONS = [_BOOTSTRAP, RELAY, NO_LAN, TRACE]


def network_of(settings: Settings) -> Network:
    """What the options, the environment and the file say together. Raises `LocalError`."""
    from holdfast.node import Network

    told = read_file(config_path(settings))
    bootstrap = settings.bootstrap or _listed("HOLDFAST_BOOTSTRAP")
    relays = settings.relays or _listed("HOLDFAST_RELAY")
    return Network(
        bootstrap=bootstrap or tuple(told.get("bootstrap", ())),
        relays=relays or tuple(told.get("relays", ())),
        lan=_lan(told) and not settings.no_lan,
        machine=not settings.no_lan,
    )


def _lan(told: dict[str, Any]) -> bool:
    value = os.environ.get("HOLDFAST_LAN", "").lower()
    if value not in ("", "on", "off"):
        raise LocalError(f"HOLDFAST_LAN is {value!r}; it must be on or off.")
    return value == "on" if value else bool(told.get("lan", True))


def show_steps(settings: Settings, node: Node) -> None:
    """With ``--trace``: print each step towards others from now on."""
    online, ui = node.online, settings.ui
    if not settings.trace or online is None:
        return
    begun = time.monotonic()

    def show(step: Step) -> None:
        ui.event("step", at=round(time.monotonic() - begun, 4), **_fields(step))
        ui.note(f"{time.monotonic() - begun:8.3f} {printable(str(step))}")

    online.swarm.trace.watch(show)


def _fields(step: Step) -> dict[str, object]:
    from holdfast.encoding import key_text

    return {
        "key": key_text(step.who),
        "rung": step.rung,
        "outcome": step.outcome,
        "seconds": round(step.seconds, 4),
        "where": step.where,
        "reason": step.reason,
    }


def config_path(settings: Settings) -> Path:
    """Where the configuration is looked for; it need not be there unless it was named."""
    named = os.environ.get("HOLDFAST_CONFIG")
    return Path(named).expanduser() if named else settings.directory / FILE


def read_file(path: Path) -> dict[str, Any]:
    """The ``[network]`` table of a file; empty when there is none. Raises `LocalError`."""
    import tomllib

    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        if "HOLDFAST_CONFIG" in os.environ:
            raise LocalError(f"The configuration {path} is not there.") from None
        return {}
    except OSError as error:
        raise LocalError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    if len(text) > MAX_FILE:
        raise LocalError(f"The configuration {path} is too large to be one.")
    try:
        table = tomllib.loads(text.decode()).get(_TABLE, {})
    except ValueError as error:
        raise LocalError(f"The configuration {path} is not valid: {error}.") from error
    return _checked(path, table)


def _checked(path: Path, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise LocalError(f"In {path}, {_TABLE} must be a table.")
    for name, value in table.items():
        kind = _KINDS.get(name)
        if kind is None:
            known = ", ".join(sorted(_KINDS))
            raise LocalError(f"In {path}, {_TABLE} has no setting {name!r}.", f"It knows {known}.")
        texts = not isinstance(value, list) or all(isinstance(each, str) for each in value)
        if not isinstance(value, kind) or not texts:
            wanted = "true or false" if kind is bool else 'a list such as ["192.0.2.7:49737"]'
            raise LocalError(f"In {path}, {name} must be {wanted}.")
    return table


def _listed(variable: str) -> tuple[str, ...]:
    """Several values in one variable are separated by commas or spaces."""
    return tuple(os.environ.get(variable, "").replace(",", " ").split())
