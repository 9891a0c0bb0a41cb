"""Tree nodes that answers under way will bring.

A reader that asks for many neighbouring blocks at once would have each proven up to a node it holds
now, and get the same upper nodes over and over. Answers of one peer come in the order of the
requests (as a rule), so a later proof may end at a node that an earlier answer brings.
When the rule is broken the proof ends at a node nobody knows and the block is asked for again.
"""

from __future__ import annotations

MAX_PROMISED = 65536
"""Nodes remembered at most; a full window needs a few thousand."""


class PromisedNodes:
    """What the requests in flight to one peer will bring."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: set[int] = set()

    def expect(self, index: int, missing: int) -> tuple[int, bool]:
        """Note a request for the node at flat-tree ``index`` of which ``missing`` levels are unknown.

        Returns how many levels it has to prove, and whether that relies on a promise.
        """
        nodes = self._nodes
        if len(nodes) > MAX_PROMISED:
            nodes.clear()
        zero = (index + 1) & ~index
        for level in range(missing):
            if index in nodes:
                return level, True
            nodes.add(index)
            nodes.add(index ^ (zero << 1))
            index = (index | zero) & ~(zero << 1)
            zero <<= 1
        return missing, False

    def clear(self) -> None:
        """Answers were refused, or all have arrived."""
        self._nodes.clear()
