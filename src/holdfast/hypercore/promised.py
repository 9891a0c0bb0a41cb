"""Tree nodes that answers under way will bring.

A reader that asks for many neighbouring blocks at once would have each proven up to a node it holds
now, and get the same upper nodes over and over. Answers of one peer come in the order of the
requests (as a rule), so a later proof may end at a node that an earlier answer brings.
When the rule is broken the proof ends at a node nobody knows and the block is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.hypercore.tree import Node

MAX_PROMISED = 65536
"""Nodes remembered at most; a full window needs a few thousand."""


class PromisedNodes:
    """What the requests in flight to one peer will bring."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: set[int] = set()

    def levels(
        self, index: int, head: int, node: Callable[[int], Node | None], trusting: bool
    ) -> tuple[int, bool]:
        """How many levels above flat-tree ``index`` to have proven; the tree ends at ``head``.

        With ``trusting`` a node that is promised counts as known; what this request will bring is
        noted. Returns the levels and whether they rely on a promise.
        """
        nodes = self._nodes
        if len(nodes) > MAX_PROMISED:
            nodes.clear()
        zero = (index + 1) & ~index
        count = 0
        while index + zero <= head:
            if trusting and index in nodes:
                return count, True
            if node(index) is not None:
                return count, False
            nodes.add(index)
            nodes.add(index ^ (zero << 1))
            count += 1
            index = (index | zero) & ~(zero << 1)
            zero <<= 1
        return count, False

    def clear(self) -> None:
        """Answers were refused, or all have arrived."""
        self._nodes.clear()
