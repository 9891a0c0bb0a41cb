"""What a stranger installs is whole, typed, and nothing but the package."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.house import wheel as maker
from tests.house.source import PACKAGE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly built wheel."""
    return maker.build(tmp_path_factory.mktemp("dist"))


def test_wheel_holds_every_module_and_the_type_marker(wheel: Path) -> None:
    inside = set(maker.contents(wheel))
    source = {f"holdfast/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*.py")}
    assert source | {"holdfast/py.typed"} <= inside


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in maker.contents(wheel)}
    assert tops == {"holdfast", "holdfast-0.1.0.dist-info"}


def test_wheel_says_licence_command_and_filesystem(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        about = archive.read("holdfast-0.1.0.dist-info/METADATA").decode()
        entries = archive.read("holdfast-0.1.0.dist-info/entry_points.txt").decode()
        licence = archive.read("holdfast-0.1.0.dist-info/licenses/LICENSE").decode()
    assert "License-Expression: Apache-2.0" in about
    assert "Requires-Python: >=3.11" in about
    assert "holdfast = holdfast.cli:main" in entries
    assert "[fsspec.specs]\nhyper = " in entries
    assert "Apache License" in licence
