"""The Markdown of the repository, taken apart: links, anchors, code blocks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<words>.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced code block."""

    page: Path
    line: int
    info: str
    body: str

    @property
    def language(self) -> str:
        """The first word after the fence."""
        return self.info.split(" ")[0] if self.info else ""

    @property
    def words(self) -> list[str]:
        """The words after the language: ``run``, ``first``, ..."""
        return self.info.split(" ")[1:]


def pages() -> list[Path]:
    """Every page that people read."""
    return sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match["info"], match["body"])
        for match in _FENCE.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """The targets of the links of a page, code left out."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`\n]*`", "", text)
    return [match["target"] for match in _LINK.finditer(text)]


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be reached by."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", match["words"].lower()).strip().replace(" ", "-")
        for match in _HEADING.finditer(text)
    }
