"""The Python that pages show is run as it stands.

A block marked ``python run`` is a program of its own; blocks of one page marked ``python part`` are
joined into one program, which may await at the top level.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.docs.pages import REPO, Block, blocks, pages

PRELUDE = "import asyncio\nasync def _page():\n"
LIMIT = 60
"""Seconds; an example that takes longer is not one."""

PROGRAMS = [block for page in pages() for block in blocks(page) if "run" in block.words]
JOINED = [page for page in pages() if any("part" in block.words for block in blocks(page))]


def _run(program: Path, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=where,
        env=os.environ | {"HOLDFAST_STORE": str(where / "store")},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        stdin=subprocess.DEVNULL,
    )


def _name(block: Block) -> str:
    return f"{block.page.relative_to(REPO)}:{block.line}"


@pytest.mark.parametrize("block", PROGRAMS, ids=_name)
def test_block_runs(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(block.body)
    done = _run(program, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", JOINED, ids=lambda page: str(page.relative_to(REPO)))
def test_parts_of_a_page_run(page: Path, tmp_path: Path) -> None:
    parts = [block.body for block in blocks(page) if "part" in block.words]
    program = tmp_path / "page.py"
    program.write_text(
        PRELUDE + textwrap.indent("\n".join(parts), "    ") + "\nasyncio.run(_page())\n"
    )
    done = _run(program, tmp_path)
    assert done.returncode == 0, done.stderr


def test_marks_are_known() -> None:
    """A misspelt mark would silently take a block out of the tests."""
    known = {"python": {"run", "part"}, "console": {"first", "second"}, "javascript": {"keep.js"}}
    for page in pages():
        for block in blocks(page):
            strange = set(block.words) - known.get(block.language, set())
            assert not strange, f"{_name(block)}: {strange}"


EXAMPLES = sorted((REPO / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    assert ast.get_docstring(ast.parse(example.read_text())), "says what it shows"
    done = _run(example, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "shows something"
