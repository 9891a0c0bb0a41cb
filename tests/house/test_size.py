"""Rooms stay small enough to be read in one sitting."""

from __future__ import annotations

import subprocess
from pathlib import Path

LIMIT = 700
"""Lines; most files stay under 300, and `make lint` names those that do not."""


def _python_files(repo: Path) -> list[Path]:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(listed, cwd=repo, capture_output=True, check=True, text=True).stdout
    return [repo / name for name in names.split("\0") if name and (repo / name).exists()]


def test_no_file_is_longer_than_the_limit(repo: Path) -> None:
    long = {
        str(path.relative_to(repo)): lines
        for path in _python_files(repo)
        if (lines := path.read_bytes().count(b"\n")) > LIMIT
    }
    assert long == {}
