"""What arrived from peers and was verified, but is not with the backend yet.

Thousands of small blocks go to the backend as one change: writing each alone would cost more than
fetching it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.hypercore.backend import BlockWrite, Change, Head, Leaf
from holdfast.hypercore.staged import Block
from holdfast.hypercore.tree import Node

RECEIVE_BUFFER = 2 * 1024 * 1024
"""Bytes of received blocks held in memory before they are written (bounds a turn's memory)."""


class Received:
    """Verified nodes, blocks and head of one log on their way to the backend."""

    __slots__ = ("blocks", "head", "nodes", "_bytes", "_next_offset", "_offsets")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Everything is written, or given up."""
        self.nodes: dict[int, Node] = {}
        self.blocks: dict[int, Block] = {}
        self.head: Head | None = None
        self._offsets: dict[int, int] = {}
        self._bytes = 0
        self._next_offset = (-1, 0)

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be written."""
        return not self.nodes and self.head is None

    @property
    def full(self) -> bool:
        """Whether enough has come together for a write."""
        return self._bytes >= RECEIVE_BUFFER

    def add_nodes(self, nodes: Sequence[Node]) -> None:
        """Take tree nodes, leaves and interior ones."""
        known = self.nodes
        for node in nodes:
            known[node.index] = node

    def add_block(self, index: int, data: Block, locate: Callable[[int], int]) -> None:
        """Take a block; unless it follows the last, ``locate(2 * index)`` is its byte offset."""
        expected, offset = self._next_offset
        if expected != index:
            offset = locate(2 * index)
        self._next_offset = (index + 1, offset + len(data))
        self.blocks[index] = data
        self._offsets[index] = offset
        self._bytes += len(data)

    def change(self, held: Callable[[int], bool]) -> Change:
        """All of it as one change; ``held(block)`` tells of leaves that are complete already."""
        change = Change(head=self.head)
        offsets = self._offsets
        for index, node in self.nodes.items():
            block = index >> 1
            if index & 1:
                change.nodes.append(node)
            elif block in offsets:
                change.leaves.append(Leaf(block, node.size, node.hash, offsets[block]))
            elif not held(block):  # a leaf that is here already knows its offset
                change.leaves.append(Leaf(block, node.size, node.hash, -1))
        change.blocks = self._runs()
        change.present = [(run.start, len(run.data)) for run in change.blocks]
        return change

    def _runs(self) -> list[BlockWrite]:
        """The blocks as runs that lie end to end."""
        runs: list[BlockWrite] = []
        expected = -1
        for index in sorted(self.blocks):
            if index != expected:
                runs.append(BlockWrite(index, self._offsets[index], []))
            runs[-1].data.append(self.blocks[index])
            expected = index + 1
        return runs
