"""The two journeys through the house name rooms and people that are really there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import REPO

PAGES = ("journey-out", "journey-in", "finding")
WALKS = [REPO / "docs" / "explanation" / f"{page}.md" for page in PAGES]
_FILE = re.compile(r"\]\(\.\./\.\./(src/[\w/]+\.py)\)")
_NAME = re.compile(r"`([A-Za-z_]+(?:\.[a-z_]+)?)`")
NOT_NAMES = {"get", "cat", "fsspec"}
"""Verbs and packages that are mentioned beside names of the source."""


def _names(path: Path) -> set[str]:
    """What a file defines: ``name``, ``Class`` and ``Class.member``."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            members = (m for m in node.body if hasattr(m, "name"))
            found |= {f"{node.name}.{member.name}" for member in members}
    return found


def _sections(page: Path) -> list[str]:
    return page.read_text(encoding="utf-8").split("\n## ")[1:]


@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.stem)
def test_every_name_is_in_one_of_the_files_of_its_section(page: Path) -> None:
    lost = []
    for section in _sections(page):
        files = [REPO / file for file in _FILE.findall(section)]
        assert files, section.splitlines()[0]
        here = set[str]().union(*(_names(file) for file in files if file.exists()))
        lost += [
            f"{section.splitlines()[0]}: {name}"
            for name in _NAME.findall(section)
            if name not in here | NOT_NAMES
        ]
    assert lost == []


def test_the_walks_pass_through_every_floor() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in WALKS)
    for room in (
        "cli",
        "node",
        "hyperdrive",
        "hyperbee",
        "store",
        "storage",
        "net",
        "wire",
        "udx",
        "dht",
    ):
        assert f"src/holdfast/{room}/" in text, room
