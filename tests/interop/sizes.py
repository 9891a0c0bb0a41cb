"""How big a case is: the promised size in CI and with HOLDFAST_FULL=1, a smaller one elsewhere."""

from __future__ import annotations

import os

from tests.interop.peer import peers_required

FULL = os.environ.get("HOLDFAST_FULL") == "1" or peers_required()


def size(small: int, promised: int) -> int:
    """The count or size to use in this run."""
    return promised if FULL else small
