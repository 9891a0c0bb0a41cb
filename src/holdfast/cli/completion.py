"""``holdfast completion SHELL``."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from holdfast.cli.options import common_options


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def command(shell: str) -> None:
    """Print the completion script for a shell.

    bash: eval "$(holdfast completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc;
    fish: holdfast completion fish > ~/.config/fish/completions/holdfast.fish
    """
    from holdfast.cli.app import cli

    found = get_completion_class(shell)
    assert found is not None
    completer = found(cli, {}, "holdfast", "_HOLDFAST_COMPLETE")
    # The base class on purpose: the one for bash starts a bash to look at its version.
    click.echo(ShellComplete.source(completer))
