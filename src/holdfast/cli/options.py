"""The options that every verb has, before the verb or after it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from holdfast.cli.ui import UI

if TYPE_CHECKING:
    from pathlib import Path

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Settings:
    """What the global options say."""

    store: str | None = None
    passphrase_file: str | None = None
    bootstrap: tuple[str, ...] = ()
    relays: tuple[str, ...] = ()
    no_lan: bool = False
    trace: bool = False
    ui: UI = field(default_factory=UI)

    @property
    def directory(self) -> Path:
        """``--store``, else ``HOLDFAST_STORE``, else the platform's data folder."""
        from pathlib import Path

        named = self.store or os.environ.get("HOLDFAST_STORE")
        if named:
            return Path(named).expanduser()
        import platformdirs

        return platformdirs.user_data_path("holdfast")


def settings_of(context: click.Context) -> Settings:
    """The settings of this run, made on first use."""
    return context.find_root().ensure_object(Settings)


def pass_settings(function: Command) -> Command:
    """Hand the settings of this run to a verb as its first argument."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(settings_of(click.get_current_context()), *args, **kwargs)

    return cast(Command, call)


def _store(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        settings_of(context).store = value


def _passphrase_file(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value:
        settings_of(context).passphrase_file = value


def _flag(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(settings_of(context).ui, name, True)

    return keep


def common_options(command: Command) -> Command:
    """Give a verb the options that every verb has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def peer_option(command: Command) -> Command:
    """Give a verb ``--peer``."""
    return click.option(
        "--peer", multiple=True, metavar="HOST:PORT", help="Where to look, beside what LINK says."
    )(command)


def _option(*names: str, **kwargs: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, **kwargs)


_OPTIONS = [
    _option("--store", metavar="DIR", callback=_store, help="The store (or HOLDFAST_STORE)."),
    _option(
        "--passphrase-file",
        metavar="FILE",
        callback=_passphrase_file,
        help="Read the store's passphrase from a file, or from a descriptor as fd:N.",
    ),
    _option("--json", is_flag=True, callback=_flag("json"), help="Print one JSON object per line."),
    _option("--quiet", "-q", is_flag=True, callback=_flag("quiet"), help="Print results only."),
    _option("--debug", is_flag=True, callback=_flag("debug"), help="Show a traceback on errors."),
]
