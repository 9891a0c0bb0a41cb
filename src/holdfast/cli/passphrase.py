"""Where a passphrase comes from: a prompt, a file or a descriptor. Never the command line."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.errors import LocalError

MAX_BYTES = 4096
"""Longest passphrase: the first line of its file; more is the wrong file."""
VARIABLE = "HOLDFAST_PASSPHRASE_FILE"


def given(option: str | None) -> str | None:
    """The passphrase that ``--passphrase-file`` or ``HOLDFAST_PASSPHRASE_FILE`` leads to, if any.

    ``fd:N`` is the open descriptor N. Raises `LocalError` when it cannot be read.
    """
    source = option or os.environ.get(VARIABLE)
    if not source:
        return None
    try:
        if source.startswith("fd:"):
            data = os.read(int(source[3:]), MAX_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "it is not fd:NUMBER"
        raise LocalError(f"The passphrase cannot be read from {source!r}: {words}.") from error
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    if not line or len(line) > MAX_BYTES:
        raise LocalError(
            f"There is no passphrase in {source!r}.", "Its first line should be the passphrase."
        )
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise LocalError(f"The passphrase in {source!r} is not UTF-8 text.") from None


def asked() -> str | None:
    """The passphrase that a person types, or None when nobody is there to type it."""
    import sys

    if not sys.stdin.isatty():
        return None
    import click

    typed: str = click.prompt("Passphrase of the store", hide_input=True, err=True)
    return typed
