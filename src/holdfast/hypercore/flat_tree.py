"""Arithmetic of the flat in-order numbering of a binary tree (hypercore.md 4.3, ``flat-tree``).

Leaf ``i`` has index ``2 * i``; the parent of two nodes lies half way between them. The number of
trailing one bits of an index is its depth, which makes every step a bit operation: with ``z`` the
lowest zero bit of an index, its sibling is ``index ^ 2z`` and its parent ``(index | z) & ~2z``.
"""

from __future__ import annotations


def lowest_zero(index: int) -> int:
    """The lowest zero bit of an index: the number of leaves under it."""
    return (index + 1) & ~index


def depth(index: int) -> int:
    """How far a node is above the leaves (0 for a leaf)."""
    return lowest_zero(index).bit_length() - 1


def offset(index: int) -> int:
    """How many nodes of the same depth lie to the left."""
    return index >> lowest_zero(index).bit_length()


def at(depth: int, offset: int) -> int:
    """The node with that depth and offset."""
    return (2 * offset + 1 << depth) - 1


def parent(index: int) -> int:
    """The node directly above."""
    zero = lowest_zero(index)
    return (index | zero) & ~(zero << 1)


def sibling(index: int) -> int:
    """The other child of the parent."""
    return index ^ lowest_zero(index) << 1


def left_child(index: int) -> int:
    """The child on the left; a leaf is its own child."""
    return index - (lowest_zero(index) >> 1)


def right_child(index: int) -> int:
    """The child on the right; a leaf is its own child."""
    return index + (lowest_zero(index) >> 1)


def left_span(index: int) -> int:
    """The leftmost leaf under a node."""
    return index - lowest_zero(index) + 1


def right_span(index: int) -> int:
    """The rightmost leaf under a node."""
    return index + lowest_zero(index) - 1


def count_leaves(index: int) -> int:
    """How many leaves lie under a node."""
    return lowest_zero(index)


def contains(index: int, other: int) -> bool:
    """Whether ``other`` is ``index`` itself or lies under it."""
    zero = lowest_zero(index)
    return index - zero < other < index + zero


def full_roots(head: int) -> list[int]:
    """Roots of the complete trees that cover every index below ``head``, left to right.

    ``head`` is even: twice the number of leaves.
    """
    roots = []
    start = 0
    while start < head:
        width = 1 << (head - start).bit_length() - 1
        roots.append(start + (width >> 1) - 1)
        start += width
    return roots


def upgrade_path(start: int, head: int) -> list[int]:
    """Nodes that take somebody who has the full roots below ``start`` to those below ``head``.

    The order is the protocol's (hypercore.md 4.3): first the right siblings on the way up from the
    last leaf below ``start``, then the full roots that lie wholly beyond it. Both heads are even.
    """
    path: list[int] = []
    last = start - 2
    connected = start == 0
    for root in full_roots(head):
        zero = lowest_zero(root)
        if root + zero < start:
            continue
        if not connected and root - zero < last < root + zero:
            path += (index for index in siblings_up(last, root) if index > last)
        else:
            path.append(root)
        connected = True
    return path


def siblings_up(index: int, root: int) -> list[int]:
    """Siblings of ``index`` and of its parents, below ``root``; ``root`` must contain ``index``."""
    found = []
    zero = lowest_zero(index)
    while index != root:
        found.append(index ^ zero << 1)
        index = (index | zero) & ~(zero << 1)
        zero <<= 1
    return found
