"""Hyperbee: sorted keys with values over one log (`wire/hypercore.md` 4.8).

* `Bee` reads and writes; `Bee.checkout`, `Bee.snapshot` and `Bee.sub` are views of it.
* `Batch` groups changes into one append.
* `Entry`, `Change`, `Difference` are what reads give.
* `is_bee` tells whether a log is a bee; `Header` is its first block.
"""

from __future__ import annotations

from holdfast.hyperbee.batch import Batch
from holdfast.hyperbee.bee import Bee, is_bee
from holdfast.hyperbee.blocks import Header
from holdfast.hyperbee.core import Session
from holdfast.hyperbee.encodings import Encoding
from holdfast.hyperbee.reader import Change, Difference, Entry

__all__ = [
    "Batch",
    "Bee",
    "Change",
    "Difference",
    "Encoding",
    "Entry",
    "Header",
    "Session",
    "is_bee",
]
