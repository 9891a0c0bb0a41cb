"""The page about ``--json`` knows every event and field that the program prints, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.docs.pages import REPO
from tests.house.source import modules

PAGE = (REPO / "docs" / "reference" / "json.md").read_text(encoding="utf-8")


def _printed() -> dict[str, set[str]]:
    """Event to its fields, as the calls of ``ui.event`` in the source give them."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules():
        if module.package != "cli":
            continue
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr == "event" and node.args and isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
                found[name] |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return found


def _documented() -> dict[str, str]:
    """Event to all its rows, as the tables of the page give them."""
    rows: dict[str, str] = defaultdict(str)
    for name, rest in re.findall(r"^\| `(\w+)` \|(.*)$", PAGE, re.MULTILINE):
        rows[name] += rest
    return rows


def test_every_event_is_there_with_every_field() -> None:
    rows = _documented()
    missing = [
        f"{event}.{field}"
        for event, fields in _printed().items()
        for field in sorted(fields) or [""]
        if event not in rows or (field and f"`{field}`" not in rows[event])
    ]
    assert missing == []


def test_no_event_is_made_up() -> None:
    assert set(_documented()) - set(_printed()) == set()
