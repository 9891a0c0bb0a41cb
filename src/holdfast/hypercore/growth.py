"""Growing a tree from the nodes of an upgrade (hypercore.md 4.3, ``verifyUpgrade``)."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.errors import InvalidProof
from holdfast.hypercore.flat_tree import full_roots, left_child, lowest_zero, sibling
from holdfast.hypercore.manifest import Prologue
from holdfast.hypercore.message_types import UpgradeData
from holdfast.hypercore.tree import Node, parent_node, tree_hash


class NodeQueue:
    """Nodes in the order they were sent; ``extra`` is taken wherever its index is asked for."""

    def __init__(self, nodes: Sequence[Node], extra: Node | None = None) -> None:
        self.extra = extra
        self._nodes = iter(nodes)
        self.left = len(nodes)

    @property
    def empty(self) -> bool:
        """Whether everything has been taken."""
        return self.left == 0 and self.extra is None

    def take(self, index: int) -> Node:
        """The node at ``index``; raises `InvalidProof` when another one is next."""
        extra = self.extra
        if extra is not None and extra.index == index:
            self.extra = None
            return extra
        node = next(self._nodes, None)
        if node is None or node.index != index:
            raise InvalidProof(f"A proof lacks tree node {index}.")
        self.left -= 1
        return node


class Growth:
    """Roots of a tree while nodes are added on the right. ``nodes`` are those it did not have."""

    def __init__(self, roots: Sequence[Node], length: int) -> None:
        self.roots = list(roots)
        self.length = length
        self.nodes: list[Node] = []

    @property
    def byte_length(self) -> int:
        """Bytes under the roots."""
        return sum(root.size for root in self.roots)

    def push(self, node: Node) -> int:
        """Add the next subtree, merge finished pairs, and return the index of the last root."""
        zero = lowest_zero(node.index)
        self.length += zero
        roots, nodes = self.roots, self.nodes
        nodes.append(node)
        while roots and roots[-1].index == node.index ^ zero << 1:
            node = parent_node(roots.pop(), node)
            nodes.append(node)
            zero <<= 1
        roots.append(node)
        return node.index

    def upgrade(
        self,
        upgrade: UpgradeData,
        block_root: Node | None = None,
        prologue: Prologue | None = None,
    ) -> bool:
        """Take the nodes of an upgrade; True when ``block_root`` was one of them (or None).

        Raises `InvalidProof` when they do not continue this tree or do not respect the prologue.
        What comes out is only as good as the signature over it.
        """
        queue = NodeQueue(upgrade.nodes, block_root)
        before = len(self.roots)
        matched = 0
        grow = before > 0
        for root in full_roots(2 * (upgrade.start + upgrade.length)):
            if matched < before and self.roots[matched].index == root:
                matched += 1
            elif grow and matched < before:
                # The old right edge lies inside this root: add its right siblings on the way up.
                grow = False
                at = self.roots[-1].index
                while at != root:
                    at = self.push(queue.take(sibling(at)))
                before = 0
            else:
                grow = False
                self.push(queue.take(root))
        if self.nodes and queue.left:
            raise InvalidProof("An upgrade has more tree nodes than it needs.")
        self._check_prologue(upgrade, prologue)
        self._continue(upgrade.additional_nodes)
        return queue.extra is None

    def _check_prologue(self, upgrade: UpgradeData, prologue: Prologue | None) -> None:
        if prologue is None:
            return
        end = upgrade.start + upgrade.length
        if upgrade.start < prologue.length and (upgrade.start != 0 or end < prologue.length):
            raise InvalidProof("An upgrade ends inside the blocks that the manifest fixes.")
        if self.length == prologue.length and tree_hash(self.roots) != prologue.hash:
            raise InvalidProof("The first blocks are not those that the manifest fixes.")

    def _continue(self, additional: Sequence[Node]) -> None:
        """From the length asked for to the length that was signed."""
        if not additional:
            return
        if not self.roots:
            raise InvalidProof("An upgrade leads on from nothing.")
        at = sibling(self.roots[-1].index)
        for node in additional:
            while node.index != at:
                if not at & 1:
                    raise InvalidProof(f"Tree node {node.index} does not belong to the upgrade.")
                at = left_child(at)
            at = sibling(self.push(node))
