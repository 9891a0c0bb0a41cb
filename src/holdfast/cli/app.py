"""The group of verbs, and how a run ends.

Verbs are imported when they are used, so that ``holdfast --help`` answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from holdfast.cli.options import common_options, settings_of
from holdfast.cli.ui import UI, printable
from holdfast.errors import HoldfastError, LocalError

EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C, as a shell would report it (128 + SIGINT)."""
EXIT_BUG = 70
"""Something nobody foresaw (EX_SOFTWARE of sysexits.h)."""
EXIT_PIPE = 141
"""Whoever read our output went away (128 + SIGPIPE)."""

VERBS = {
    "share": "Make or update a drive from files and folders, print its link, serve it.",
    "up": "Run a node that stays: serve what was shared, help others find each other.",
    "switch": "Say who may find and who gets a drive, also while it is being served.",
    "status": "Show what the running node of a store does: who is connected, what is served.",
    "get": "Fetch a drive, or a part of it, into a folder.",
    "ls": "List a folder of a drive, or your own drives.",
    "cat": "Write a file of a drive to standard output.",
    "stat": "Show what is known about a drive or one of its files.",
    "rm": "Delete files or folders from a drive of your own.",
    "mv": "Rename a file or folder in a drive of your own.",
    "log": "Show how a drive changed, newest first.",
    "diff": "Show what differs between two versions of a drive.",
    "doctor": "Check what works from here, and what does not.",
    "demo": "Share and get between two processes on this machine.",
    "listen": "Wait for connections; answer ping and echo.",
    "dial": "Connect to an address and show who answers.",
    "ping": "Measure round trips to a listening node.",
    "echo": "Send text or standard input to a listening node and get it back.",
    "confirm": "Say that this copy of a store is the only one that will write.",
    "completion": "Print the completion script for a shell.",
}
"""Every verb and what it does, in the order people meet them; each lives in ``cli/<verb>.py``."""


class Verbs(click.Group):
    """A group that imports ``holdfast.cli.<verb>`` when that verb is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind a verb, or None."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"holdfast.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"holdfast {version('holdfast')}")
        context.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version and stop.",
)  # fmt: skip
@common_options
@click.pass_context
def cli(context: click.Context) -> None:
    """Holdfast: files and folders between people's own machines, nobody's server in between."""
    settings_of(context)


def run(arguments: list[str] | None = None) -> None:
    """Run one command line and exit with its status; every error ends here."""
    arguments = sys.argv[1:] if arguments is None else arguments
    context_ui = UI(json="--json" in arguments, debug="--debug" in arguments)
    sys.exit(_status(arguments, context_ui))


def _status(arguments: list[str], ui: UI) -> int:
    try:
        result: Any = cli.main(arguments, prog_name="holdfast", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except HoldfastError as error:
        if ui.debug:
            raise
        ui.error(error)
        return error.exit_code
    except click.UsageError as error:
        ui.error(LocalError(_sentence(error), _usage_hint(error)))
        return LocalError.exit_code
    except click.ClickException as error:
        ui.error(LocalError(_sentence(error)))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python would complain once more while closing standard output: let it close /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except Exception as error:
        if ui.debug:
            raise
        ui.error(_bug(error))
        return EXIT_BUG


def _sentence(error: click.ClickException) -> str:
    words = printable(error.format_message())
    return words if words.endswith((".", "?", "!")) else words + "."


def _usage_hint(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "holdfast"
    return f"See {path} --help."


def _bug(error: Exception) -> HoldfastError:
    words = " ".join(str(error).split())
    found = HoldfastError(
        f"Something unexpected went wrong: {type(error).__name__}{': ' + words if words else ''}",
        "This is a fault of ours; run it again with --debug to see where it comes from.",
    )
    found.code = "bug"
    return found
