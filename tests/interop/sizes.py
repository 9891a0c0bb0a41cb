"""How big a case is: a smoke size for every run, the promised size with HOLDFAST_FULL=1."""

from __future__ import annotations

import os

FULL = os.environ.get("HOLDFAST_FULL") == "1"


def size(smoke: int, full: int) -> int:
    """The count or size to use in this run."""
    return full if FULL else smoke
