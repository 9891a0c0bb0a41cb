"""Which pages are generated, and from what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generate.api import api_page
from docs.generate.commands import commands_page
from docs.generate.errors import errors_page

REFERENCE = Path(__file__).resolve().parents[1] / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "errors.md": errors_page,
    "api.md": api_page,
}
