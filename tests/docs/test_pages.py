"""The pages hang together: no dead link, no page that nobody can find, code that can be read."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.docs.pages import REPO, anchors, blocks, links, pages

DOCS = REPO / "docs"


def _named(page: Path) -> str:
    return str(page.relative_to(REPO))


@pytest.mark.parametrize("page", pages(), ids=_named)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            fragment and target.suffix == ".md" and fragment not in anchors(target)
        ):
            dead.append(link)
    assert dead == []


def test_every_page_is_reachable_from_the_front_door() -> None:
    seen, waiting = set[Path](), [REPO / "README.md", DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
    lost = [_named(page) for page in DOCS.rglob("*.md") if page not in seen]
    assert lost == []


@pytest.mark.parametrize("page", pages(), ids=_named)
def test_code_can_be_read(page: Path) -> None:
    """Also what is not run: Python parses, JSON lines are JSON."""
    for block in blocks(page):
        where = f"{_named(page)}:{block.line}"
        if block.language == "python":
            compile(block.body, where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif block.language == "json":
            json.loads(block.body)
        elif block.language == "jsonl":
            for line in block.body.splitlines():
                json.loads(line)
