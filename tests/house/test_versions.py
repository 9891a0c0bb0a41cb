"""The version is said once."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path


def test_installed_version_is_the_one_in_pyproject(repo: Path) -> None:
    project = tomllib.loads((repo / "pyproject.toml").read_text())["project"]
    assert version("holdfast") == project["version"]
