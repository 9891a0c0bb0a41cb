"""Python's collector of cycles, told to look less often (docs/decisions/0006)."""

from __future__ import annotations

import gc

PYTHONS_OWN = (700, 2000)
"""What Python's first threshold is when nobody has chosen another (before and since 3.13)."""
CALM = 10_000
"""New objects between two looks: some megabytes, where a batch of a tree makes tens of thousands
that all live on."""


def calm_collector() -> None:
    """Look for cycles after more new objects, unless the program has chosen a number itself."""
    first, *others = gc.get_threshold()
    if first in PYTHONS_OWN:
        gc.set_threshold(CALM, *others)
