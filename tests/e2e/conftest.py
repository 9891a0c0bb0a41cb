"""Two machines, played by two stores, and a folder worth sharing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.machines import Machine

BIG = 3_000_000


@pytest.fixture
def alice(tmp_path: Path) -> Machine:
    """Who shares."""
    return Machine(tmp_path / "alice")


@pytest.fixture
def bob(tmp_path: Path) -> Machine:
    """Who fetches."""
    return Machine(tmp_path / "bob")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with what folders have in them."""
    folder = tmp_path / "notes"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "waiata māori 🎵.txt").write_text("he aha\n", encoding="utf-8")
    (folder / "deep" / "er" / "big.bin").write_bytes(os.urandom(BIG))
    tool = folder / "deep" / "tool.sh"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    (folder / "link.txt").symlink_to("empty.txt")
    return folder
