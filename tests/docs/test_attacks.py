"""Each row of docs/attacks.md names tests that exist: a defence nobody tries is a wish."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import REPO

PAGE = REPO / "docs" / "attacks.md"
ROWS = [
    row for row in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [A-Z]\d", row)
]
_TEST = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<name>\w+)`")


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_there_are_rows() -> None:
    assert len(ROWS) >= 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_names_tests_that_exist(row: str) -> None:
    named = list(_TEST.finditer(row))
    assert named, "names no test"
    for test in named:
        path = REPO / "tests" / test["file"]
        assert path.exists(), test["file"]
        assert test["name"] in _functions(path), test.group()
