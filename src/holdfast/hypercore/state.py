"""One version of a log's Merkle tree: everything a proof is made from or checked against."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.hypercore import flat_tree
from holdfast.hypercore.backend import Head
from holdfast.hypercore.tree import Node, parent_node, tree_hash
from holdfast.hypercore.verifier import Verifier

MAX_REBUILD_DEPTH = 12
"""A lost tree node is recomputed from at most 2**12 leaves; more is fetched from a peer instead."""


class TreeState:
    """Fork, length, roots and signature of a log at one moment, and a way to look up its nodes.

    Satisfies the ``TreeView`` protocol of `holdfast.hypercore.proofs`.
    """

    __slots__ = ("fork", "length", "byte_length", "roots", "signature", "node")

    def __init__(
        self,
        node: Callable[[int], Node | None],
        fork: int = 0,
        length: int = 0,
        roots: list[Node] | None = None,
        signature: bytes = b"",
        byte_length: int | None = None,
    ) -> None:
        self.node = node
        self.fork = fork
        self.length = length
        self.roots: list[Node] = roots if roots is not None else []
        if byte_length is None:
            byte_length = sum(root.size for root in self.roots)
        self.byte_length = byte_length
        self.signature = signature


def load_head(
    node: Callable[[int], Node | None], head: Head | None, verifier: Verifier
) -> TreeState | None:
    """The version that a stored head stands for (an empty one for no head).

    None when its nodes are missing or damaged, or its signature does not cover them.
    """
    if head is None:
        return TreeState(node)
    roots = load_roots(node, head.length)
    if roots is None:
        return None
    state = TreeState(node, head.fork, head.length, roots, head.signature)
    valid = state.byte_length == head.byte_length and verifier.verify(
        tree_hash(roots), head.length, head.fork, head.signature, roots
    )
    return state if valid else None


def load_roots(node: Callable[[int], Node | None], length: int) -> list[Node] | None:
    """Roots of a tree of ``length`` blocks, or None when one is neither stored nor computable."""
    roots = []
    for index in flat_tree.full_roots(2 * length):
        root = rebuild(node, index)
        if root is None:
            return None
        roots.append(root)
    return roots


def rebuild(
    node: Callable[[int], Node | None], index: int, depth: int = MAX_REBUILD_DEPTH
) -> Node | None:
    """The node at ``index``, recomputed from its children when it is missing or damaged."""
    found = node(index)
    if found is not None or index & 1 == 0 or depth == 0:
        return found
    left = rebuild(node, flat_tree.left_child(index), depth - 1)
    if left is None:
        return None
    right = rebuild(node, flat_tree.right_child(index), depth - 1)
    return None if right is None else parent_node(left, right)
