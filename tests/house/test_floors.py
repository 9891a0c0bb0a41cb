"""Imports point down only, and the pure floors stay pure."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, Module, modules

PURE = {"crypto", "encoding", "hypercore", "wire", "udx", "dht"}
"""Floors one and two: the same machines run under a simulator in virtual time."""
FORBIDDEN_CALLS = {"open", "input", "print", "exec", "eval", "breakpoint"}


def _lint_imports(where: Path) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).parent / "lint-imports"
    command = [str(script), "--no-cache", "--config", str(where / "pyproject.toml")]
    return subprocess.run(
        command,
        cwd=where,
        env={"PYTHONPATH": str(where / "src"), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(repo: Path, tmp_path: Path) -> Path:
    """The package on its own, to be spoilt."""
    shutil.copytree(PACKAGE, tmp_path / "src" / "holdfast")
    shutil.copy(repo / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold(repo: Path) -> None:
    done = _lint_imports(repo)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("crypto", "import asyncio"),
        ("wire", "import time"),
        ("hypercore", "import nacl"),
        ("hypercore", "from holdfast import store"),
        ("encoding", "from holdfast import hypercore"),
        ("store", "import rich"),
    ],
)
def test_contracts_bite(copy: Path, room: str, line: str) -> None:
    """A wall that nobody could walk into would prove nothing."""
    package = copy / "src" / "holdfast" / room
    if not (package / "__init__.py").exists():
        pytest.skip(f"{room} is not built yet")
    spoilt = package / "__init__.py"
    spoilt.write_text(f"{spoilt.read_text()}\n{line}\n")
    done = _lint_imports(copy)
    assert done.returncode != 0, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def _calls(module: Module) -> list[str]:
    return [
        f"{module.name}:{node.lineno} {node.func.id}()"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FORBIDDEN_CALLS
    ]


def test_pure_floors_call_no_file_and_no_terminal() -> None:
    found = [line for module in modules() if module.package in PURE for line in _calls(module)]
    assert found == []


def test_only_the_command_line_prints() -> None:
    found = [
        line
        for module in modules()
        if module.package not in {"cli", *PURE}
        for line in _calls(module)
        if not line.endswith(" open()")
    ]
    assert found == []


def _front_door(module: Module) -> list[str]:
    """Imports of ``holdfast`` itself, or of a name that only its ``__init__`` gives."""
    rooms = {path.stem for path in PACKAGE.iterdir()}
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import) and any(name.name == "holdfast" for name in node.names):
            found.append(f"{module.name}:{node.lineno}")
        elif isinstance(node, ast.ImportFrom) and node.module == "holdfast":
            found += [f"{module.name}:{node.lineno}" for n in node.names if n.name not in rooms]
    return found


def test_nobody_below_the_command_line_comes_in_by_the_front_door() -> None:
    found = [
        line
        for module in modules()
        if module.package not in {"", "cli"}
        for line in _front_door(module)
    ]
    assert found == []
