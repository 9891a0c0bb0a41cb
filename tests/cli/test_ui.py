from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.ui import UI, amount, plural, printable
from holdfast.errors import LinkError


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.txt", "plain.txt"),
        ("waiata māori 🎵", "waiata māori 🎵"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("two\nlines\r\ttab", "two\\nlines\\r\\ttab"),
        ("exe\u202egpj.", "exe\\u202egpj."),
        ("nul\x00", "nul\\x00"),
        ("\udc80 half", "\\udc80 half"),
    ],
)
def test_names_cannot_play_with_the_terminal(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text())
def test_whatever_is_printed_stays_on_its_line(text: str) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (200 << 10, "200 KiB"),
     (1 << 30, "1.0 GiB"), (5 << 40, "5.0 TiB"), (9000 << 40, "9000 TiB")],
)  # fmt: skip
def test_amounts(size: int, words: str) -> None:
    assert amount(size) == words


def test_plurals() -> None:
    assert [plural(n, "file") for n in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]


def test_people_and_scripts_get_different_words(capsys: pytest.CaptureFixture[str]) -> None:
    for ui in (UI(), UI(json=True), UI(quiet=True)):
        ui.event("sharing", link="x")
        ui.say("a result")
        ui.note("a remark")
        ui.waiting("a peer")
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "a result",
        '{"event": "sharing", "link": "x"}',
        '{"event": "waiting", "for": "a peer"}',
        "a result",
    ]
    assert said.err.splitlines() == ["a remark", "waiting for a peer …"]


def test_errors_are_a_sentence_and_a_hint_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    error = LinkError("Bad \x1b link.", "Copy it.")
    UI().error(error)
    UI(json=True).error(error)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["holdfast: Bad \\x1b link.", "  Copy it."]
    assert json.loads(lines[2]) == error.as_dict()
