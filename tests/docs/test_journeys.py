"""What the pages tell people to type does what the pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import REPO, blocks, pages
from tests.docs.terminals import Terminal
from tests.interop.peer import missing_peers, peers_required

PEOPLE = ("first", "second")
JOURNEYS = [
    page
    for page in pages()
    if any(set(block.words) & set(PEOPLE) for block in blocks(page) if block.language == "console")
]


@pytest.mark.e2e
@pytest.mark.parametrize("page", JOURNEYS, ids=lambda page: str(page.relative_to(REPO)))
def test_page(page: Path, tmp_path: Path) -> None:
    programs = [block for block in blocks(page) if block.language == "javascript"]
    if programs and (reason := missing_peers()):
        pytest.fail(reason) if peers_required() else pytest.skip(reason)
    words: dict[str, str] = {}
    people = {name: Terminal(tmp_path / name, words) for name in PEOPLE}
    for block in programs:
        (people["second"].home / block.words[0]).write_text(block.body)
    try:
        for block in blocks(page):
            for name in set(block.words) & set(PEOPLE):
                people[name].play(block)
    finally:
        for person in people.values():
            person.close()
