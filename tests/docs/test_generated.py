"""Generated pages say what the program says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from docs.generate.commands import help_of
from docs.generate.pages import PAGES, REFERENCE
from holdfast import errors
from holdfast.cli.app import VERBS


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), "run make docs"


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_reference_is_what_help_prints(verb: str) -> None:
    command = [sys.executable, "-c", "from holdfast.cli import main; main()"]
    said = subprocess.run(
        [*command, *verb.split(), "--help"],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == help_of(verb or None).strip()
    assert said.strip() in (REFERENCE / "cli.md").read_text()


def test_every_error_is_listed_with_its_code_and_status() -> None:
    page = (REFERENCE / "errors.md").read_text()
    waiting = [errors.HoldfastError]
    while waiting:
        error = waiting.pop()
        waiting += [e for e in error.__subclasses__() if e.__module__ == errors.__name__]
        (line,) = [row for row in page.splitlines() if f"`{error.__name__}`" in row]
        assert f"| {error.exit_code} | `{error.code}` |" in line
