"""Blocks hashed onto the end of a log that nobody has signed yet."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.hypercore.backend import BlockWrite, Change
from holdfast.hypercore.state import TreeState
from holdfast.hypercore.tree import Node, append_leaves

Block = bytes | memoryview
"""The bytes of one block, as stored: encrypted, if the log is."""


class Staged:
    """What the next commit writes: it starts where ``base`` ends."""

    __slots__ = ("base", "length", "_blocks", "_change", "_roots")

    def __init__(self, base: TreeState) -> None:
        self.reset(base)

    def reset(self, base: TreeState) -> None:
        """Forget what is staged; the next block comes after ``base``."""
        self.base = base
        self.length = base.length
        self._blocks: list[bytes | memoryview] = []
        self._change = Change()
        self._roots: list[Node] = base.roots

    def add(self, blocks: Sequence[Block]) -> int:
        """Hash blocks onto the end; returns the length they bring."""
        self._roots, leaves, nodes = append_leaves(self._roots, self.length, blocks)
        self._change.leaves += leaves
        self._change.nodes += nodes
        self._blocks += blocks
        self.length += len(blocks)
        return self.length

    def finish(self) -> tuple[TreeState, Change]:
        """The unsigned end that results and the change that brings it (still without a head)."""
        base, change, blocks = self.base, self._change, self._blocks
        end = base.byte_length
        if blocks:
            end = change.leaves[-1].offset + change.leaves[-1].size
            change.blocks.append(BlockWrite(base.length, base.byte_length, blocks))
            change.present.append((base.length, len(blocks)))
        state = TreeState(base.node, base.fork, self.length, self._roots, byte_length=end)
        return state, change
