"""The command line, verb by verb, as ``--help`` prints it."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.app import VERBS, cli

WIDTH = 78
"""What click uses on a terminal of 80 columns."""

INTRODUCTION = """\
# The command line

Generated from the program by `make docs`; it is what `--help` prints.

Results go to standard output, everything else to standard error. With `--json` each line of output is one
JSON object ([json.md](json.md)); a failed run ends with one sentence, a hint, and a stable exit status
([errors.md](errors.md)).
"""


def help_of(verb: str | None) -> str:
    """What ``holdfast [VERB] --help`` prints."""
    settings: dict[str, Any] = {**cli.context_settings, "terminal_width": WIDTH}
    top = click.Context(cli, info_name="holdfast", **settings)
    if verb is None:
        return cli.get_help(top)
    command = cli.get_command(top, verb)
    assert command is not None, verb
    return command.get_help(click.Context(command, top, verb, **settings))


def commands_page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, f"```text\n{help_of(None)}\n```\n"]
    parts += [f"## {verb}\n\n```text\n{help_of(verb)}\n```\n" for verb in VERBS]
    return "\n".join(parts)
