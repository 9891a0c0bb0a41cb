"""Small questions about blocks and tree nodes that every storage asks."""

from __future__ import annotations

from holdfast.encoding.bitfield import Bitfield
from holdfast.hypercore import flat_tree


def present_ranges(bits: Bitfield) -> list[tuple[int, int]]:
    """The set bits as ascending ranges ``(start, count)``."""
    ranges = []
    start = bits.first_set(0)
    while start >= 0:
        end = bits.first_unset(start)
        ranges.append((start, end - start))
        start = bits.first_set(end)
    return ranges


def spans_beyond(index: int, length: int) -> bool:
    """Whether a tree node covers a block at ``length`` or later."""
    return flat_tree.right_span(index) >= 2 * length


def straddling_nodes(length: int, end: int) -> list[int]:
    """Interior nodes numbered below ``2 * length`` that cover a block at ``length`` or later.

    They are ancestors of block ``length``, which no file that ends at ``length`` leaves out;
    ``end`` is the number of blocks the log ever had.
    """
    found = []
    index = 2 * length
    while flat_tree.left_span(index) > 0 or flat_tree.right_span(index) < 2 * end:
        index = flat_tree.parent(index)
        if index < 2 * length:
            found.append(index)
    return found
