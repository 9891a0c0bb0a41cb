"""The demonstration, small: it is the first thing that anybody runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.running import holdfast, running

pytestmark = pytest.mark.e2e


def _holdfasts(marker: Path) -> list[str]:
    """Processes that work below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(marker) in command:
            found.append(command)
    return found


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of the processes started here."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_it_shows_equal_hashes_and_cleans_up(temporary: Path) -> None:
    ran = holdfast("demo", "--no-browser", "--size", "3MiB")
    assert ran.status == 0, ran.err
    hashes = [line.split()[1] for line in ran.out.splitlines() if line.startswith("    ")]
    assert len(hashes) == 4 and hashes[0] == hashes[1] and hashes[2] == hashes[3]
    assert ran.out.count("  equal") == 2
    assert os.listdir(temporary) == [] and _holdfasts(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_in_the_middle_it_cleans_up_too(temporary: Path, number: signal.Signals) -> None:
    with running("demo", "--size", "256MiB") as demo:
        demo.event("step")
        demo.event("step")
        demo.event("progress") if number is signal.SIGTERM else None
        assert demo.stop(number) == 130
    assert os.listdir(temporary) == [] and _holdfasts(temporary) == []
