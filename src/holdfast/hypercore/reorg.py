"""Following a writer to a higher fork, the reader's half (hypercore.md 4.3, ``ReorgBatch``).

The new head is checked first. Then, one hash proof after the other, the first place where the new
tree differs from the one held is narrowed down; everything before it is common and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from holdfast.errors import InvalidProof
from holdfast.hypercore.flat_tree import depth, left_child, left_span, right_child, right_span
from holdfast.hypercore.growth import Growth
from holdfast.hypercore.message_types import Data, RequestHash
from holdfast.hypercore.proof_verify import (
    StaleProof,
    fit_loose_sizes,
    same_node,
    verify_paths,
)
from holdfast.hypercore.tree import Node, tree_hash
from holdfast.hypercore.tree_view import TreeView
from holdfast.hypercore.verifier import Verifier


class Reorg(NamedTuple):
    """A verified higher fork: cut to ``ancestors`` blocks, then take the head and the nodes."""

    ancestors: int
    fork: int
    length: int
    byte_length: int
    roots: list[Node]
    signature: bytes | None
    nodes: list[Node]


class ReorgBatch:
    """One attempt to follow a writer from ``tree``, which must not change meanwhile.

    `start`, then `next_request` and `apply` until `finished`, then `finish`.
    """

    def __init__(self, tree: TreeView, verifier: Verifier) -> None:
        self.tree = tree
        self.verifier = verifier
        self.fork = -1
        self.ancestors = 0
        """Blocks known to be common so far."""
        self.finished = False
        self._growth = Growth((), 0)
        self._signature: bytes | None = None
        self._nodes: list[Node] = []
        self._differs: Node | None = None
        """Lowest node known to differ from ours; the first difference lies under it."""

    def start(self, data: Data) -> None:
        """Check the new head, sent as an upgrade from 0. Raises `InvalidProof`."""
        if data.upgrade is None:
            raise InvalidProof("A higher fork comes without its signed head.")
        if data.fork <= self.tree.fork:
            raise StaleProof(f"Fork {data.fork} is not newer than the one held.")
        growth, upgrade = Growth((), 0), data.upgrade
        root, nodes = verify_paths(data)
        if not growth.upgrade(upgrade, root, self.verifier.prologue):
            raise InvalidProof("A proof for a higher fork is not part of its head.")
        digest = tree_hash(growth.roots)
        if not self.verifier.verify(
            digest, growth.length, data.fork, upgrade.signature, growth.roots
        ):
            raise InvalidProof("The end of a higher fork is not signed by its owner.")
        fit_loose_sizes(self.tree, data, nodes)
        self.fork, self._growth, self._signature = data.fork, growth, upgrade.signature
        self._nodes = nodes + growth.nodes
        differing = [root for root in growth.roots if same_node(self.tree, root) is None]
        if not differing:
            self.ancestors, self.finished = min(growth.length, self.tree.length), True
            return
        self._narrow_to(differing[0])
        self._descend(self._nodes)

    def next_request(self, next_held: Callable[[int], int] | None = None) -> RequestHash | None:
        """The proof to ask for now; None when finished, or when this peer cannot give it.

        ``next_held(n)`` is the first block at or after ``n`` that the peer holds, or -1.
        """
        if self.finished or self._differs is None:
            return None
        index = self._differs.index
        start, end = self._range(index)
        # Histories mostly part near the end of what we hold.
        wanted = end - 1
        if next_held is not None and next_held(wanted) != wanted:
            wanted = next_held(start)
            if not start <= wanted < end:
                return None
        return RequestHash(2 * wanted, depth(index))

    def apply(self, data: Data) -> None:
        """Take a hash proof at the new fork.

        Raises `InvalidProof`; `StaleProof` when it is not the one that is needed now.
        """
        root, nodes = verify_paths(data)
        differs = self._differs
        if self.finished or differs is None or data.fork != self.fork:
            raise StaleProof("A proof for a higher fork is not needed any more.")
        if root is None or root.index != differs.index:
            raise StaleProof("A proof is for another part of a higher fork than asked for.")
        if root.hash != differs.hash:
            raise InvalidProof("A proof does not match the signed end of a higher fork.")
        if len(nodes) < 3:
            raise InvalidProof("A proof for a higher fork does not reach below what is known.")
        fit_loose_sizes(self.tree, data, nodes)
        self._nodes += nodes
        self._descend(nodes)

    def finish(self) -> Reorg:
        """What to store, once `finished`. Nodes below ``ancestors`` that are held are left out."""
        if not self.finished:
            raise ValueError("the common part of the two forks is not known yet")
        growth, kept = self._growth, 2 * self.ancestors
        nodes = []
        for node in self._nodes:
            known = same_node(self.tree, node)
            if known is None:
                nodes.append(node)
            elif right_span(node.index) >= kept:
                nodes.append(known)
        return Reorg(
            self.ancestors,
            self.fork,
            growth.length,
            growth.byte_length,
            growth.roots,
            self._signature,
            nodes,
        )

    def _range(self, index: int) -> tuple[int, int]:
        """Blocks under a node, as far as we hold as many."""
        return left_span(index) >> 1, min(self.tree.length, (right_span(index) >> 1) + 1)

    def _narrow_to(self, node: Node) -> None:
        start, end = self._range(node.index)
        self._differs = node
        self.ancestors = min(start, self.tree.length)
        self.finished = node.index & 1 == 0 or start >= end

    def _descend(self, nodes: Sequence[Node]) -> None:
        """Follow the first difference down as far as ``nodes`` reach."""
        sent = {node.index: node for node in nodes}
        while not self.finished and self._differs is not None:
            index = self._differs.index
            left, right = sent.get(left_child(index)), sent.get(right_child(index))
            if left is None or right is None:
                return
            self._narrow_to(right if same_node(self.tree, left) is not None else left)
