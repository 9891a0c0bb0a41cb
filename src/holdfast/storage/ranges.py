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


def straddling_nodes(length: int) -> list[int]:
    """Interior nodes numbered below ``2 * length`` that cover a block at ``length`` or later.

    They are ancestors of block ``length``, and none of them lies above the first ancestor that
    begins at block 0: those are numbered higher.
    """
    found = []
    index = 2 * length
    while flat_tree.left_span(index) > 0:
        index = flat_tree.parent(index)
        if index < 2 * length:
            found.append(index)
    return found
