from __future__ import annotations

import json
import os
import subprocess
import time

import click
import pytest

from holdfast.cli import app
from holdfast.cli.app import VERBS, cli
from holdfast.errors import DiskFullError, LinkError
from tests.cli.running import COMMAND, holdfast

HELP_BUDGET = 0.150
"""Seconds that ``--help`` may take (design section 4)."""


def test_help_answers_at_once() -> None:
    times, bare = [], []
    for _ in range(8):  # in turns, so that what else the machine does hits both
        start = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)
        between = time.perf_counter()
        subprocess.run([COMMAND[0], "-c", "import click"], capture_output=True, check=True)
        times.append(between - start)
        bare.append(time.perf_counter() - between)
    # On a busy machine everything takes longer: what counts is what we add to click itself.
    assert min(times) < max(HELP_BUDGET, 2.5 * min(bare))


def test_help_names_every_verb_and_imports_none_of_them() -> None:
    code = "import sys; from holdfast.cli.app import cli; cli(['--help'], standalone_mode=False)\n"
    code += "print([m for m in ('rich', 'segno', 'nacl', 'asyncio') if m in sys.modules])"
    ran = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=True)
    assert all(verb in ran.stdout for verb in VERBS)
    assert ran.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_file_a_summary_and_the_common_options(verb: str) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, verb)
    assert command is not None and command.help
    names = {name for option in command.params for name in option.opts}
    assert {"--store", "--json", "--quiet", "--debug"} <= names


def test_version() -> None:
    ran = holdfast("--version")
    assert ran.status == 0 and ran.out.startswith("holdfast ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["dial"], ["ping", "x", "--count", "many"]])
def test_misuse_is_a_sentence_and_status_2(arguments: list[str]) -> None:
    ran = holdfast(*arguments)
    assert ran.status == 2 and ran.out == ""
    first, hint = ran.err.splitlines()
    assert first.startswith("holdfast: ") and "--help" in hint
    ran = holdfast("--json", *arguments)
    assert ran.status == 2 and ran.error["code"] == "usage"


def test_an_unreachable_address_has_its_status_and_hint() -> None:
    ran = holdfast("dial", "127.0.0.1:1", "--json")
    assert ran.status == 31
    assert ran.error["event"] == "error" and ran.error["code"] == "unreachable"
    assert ran.error["message"] == "Nobody listens at 127.0.0.1:1." and ran.error["hint"]


class Failing:
    """Stands in for a verb that ends with an exception."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def main(self, *_: object, **__: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (LinkError("Bad link."), 3, "Bad link."),
        (DiskFullError("The disk is full."), 43, "goes on where it stopped"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (ValueError("a\nfault"), 70, "ValueError: a fault"),
        (click.ClickException("No such thing."), 1, "No such thing."),
    ],
)
def test_every_end_has_its_status(
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(app, "cli", Failing(error))
    with pytest.raises(SystemExit) as ended:
        app.run([])
    assert ended.value.code == status
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said


def test_a_traceback_comes_only_with_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "cli", Failing(ValueError("a fault")))
    with pytest.raises(ValueError, match="a fault"):
        app.run(["--debug"])


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    script = f"{' '.join(COMMAND)} completion bash | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in ran.stderr
    assert ran.stdout.split()[-1] in ("0", "141")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    ran = holdfast("completion", shell)
    assert ran.status == 0 and "_HOLDFAST_COMPLETE" in ran.out


def test_completion_knows_the_verbs() -> None:
    ran = holdfast(
        env=os.environ
        | {"_HOLDFAST_COMPLETE": "bash_complete", "COMP_WORDS": "holdfast sh", "COMP_CWORD": "1"}
    )
    assert "plain,share" in ran.out.split()


def test_json_lines_are_json() -> None:
    ran = holdfast("--json", "nonsense")
    assert json.loads(ran.err)["event"] == "error"
