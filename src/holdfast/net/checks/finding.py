"""What a check found: a code for programs, and words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    """It works."""
    NOTE = "note"
    """Worth knowing; nothing is to be done about it."""
    WARNING = "warning"
    """Something works worse than it could, or will not for long."""
    ERROR = "error"
    """Something that was asked for does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    code: str
    """Which check; stable."""
    severity: Severity
    sentence: str
    """What is the case."""
    remedy: str = ""
    """What to do about it; '' when there is nothing to do."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, for programs: numbers, texts and lists of them."""


def good(code: str, sentence: str, **facts: Any) -> Finding:
    """It works."""
    return Finding(code, Severity.OK, sentence, "", facts)


def note(code: str, sentence: str, remedy: str = "", **facts: Any) -> Finding:
    """Worth knowing."""
    return Finding(code, Severity.NOTE, sentence, remedy, facts)


def warning(code: str, sentence: str, remedy: str, **facts: Any) -> Finding:
    """Worse than it could be."""
    return Finding(code, Severity.WARNING, sentence, remedy, facts)


def error(code: str, sentence: str, remedy: str, **facts: Any) -> Finding:
    """Does not work."""
    return Finding(code, Severity.ERROR, sentence, remedy, facts)
