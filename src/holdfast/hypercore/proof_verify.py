"""Checking answers against the signed tree (hypercore.md 4.3, ``verifyTree``).

Nothing here changes the tree: what was proven comes back and the caller stores it.

A node's hash commits to its size, but only somebody who knows what was hashed can tell. Of the
nodes a peer sends, every size is nevertheless fixed by the parents above it, but for the lowest
pair of a path that starts from a sent node: there a liar can move bytes from one sibling to the
other. Byte offsets in the store depend on sizes, so such a loose pair never replaces a node that
is held, and one that was stored is put right as soon as something below it is proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.errors import InvalidProof
from holdfast.hypercore.flat_tree import parent, sibling
from holdfast.hypercore.growth import Growth, NodeQueue
from holdfast.hypercore.message_types import Data
from holdfast.hypercore.tree import (
    Node,
    NodeSource,
    leaf_hash,
    leaf_node,
    parent_hash,
    parent_node,
    tree_hash,
)
from holdfast.hypercore.tree_view import TreeView
from holdfast.hypercore.verifier import Verifier

_new = tuple.__new__


class StaleProof(InvalidProof):
    """A proof for another fork or length than the tree has by now; the peer may be honest."""

    code = "stale-proof"


class TreeUpdate(NamedTuple):
    """What an answer proved. Unless ``upgraded``, the head fields are those of the tree before."""

    nodes: list[Node]
    """Leaves and interior nodes to store."""
    upgraded: bool
    fork: int
    length: int
    byte_length: int
    roots: list[Node]
    signature: bytes | None


def verify_block(
    tree: NodeSource,
    index: int,
    value: bytes | memoryview,
    nodes: Sequence[Node],
    digest: bytes | None = None,
) -> list[Node]:
    """Check a block against the tree; returns the tree nodes to store, the block's leaf first.

    What `verify_proof` does for an answer with a block and nothing else. ``digest`` is the block's
    leaf hash if the caller has computed it already. Raises `InvalidProof`.
    """
    at = 2 * index
    size = len(value)
    if digest is None:
        digest = leaf_hash(value)
    proven: list[Node] = [_new(Node, (at, size, digest))]
    zero = 1
    for node in nodes:
        beside, beside_size, beside_hash = node
        if beside != at ^ zero << 1:
            raise _misplaced(beside)
        if zero > 1:
            proven.append(_new(Node, (at, size, digest)))
        proven.append(node)
        size += beside_size
        if beside > at:
            digest = parent_hash(size, digest, beside_hash)
        else:
            digest = parent_hash(size, beside_hash, digest)
        at = (at | zero) & ~(zero << 1)
        zero <<= 1
    known = tree.node(at)
    if known is None or known[2] != digest:
        raise _untrue(at)
    if known[1] != size:
        proven += _put_right(tree, Node(at, size, digest))
    return proven


def verify_proof(tree: TreeView, data: Data, verifier: Verifier | None) -> TreeUpdate:
    """Check an answer against the tree, and a longer head in it against its signature.

    ``verifier`` may be None while no upgrade is expected. Raises `InvalidProof`, in particular
    `StaleProof` when the answer does not fit because the tree has moved on since the request.
    """
    if data.fork != tree.fork:
        raise StaleProof(f"A proof is for fork {data.fork}, this log is at fork {tree.fork}.")
    root, nodes = verify_paths(data)
    held = fit_loose_sizes(tree, data, nodes)
    if held:
        nodes = [node for node in nodes if node.index not in held]
    growth = Growth(tree.roots, tree.length)
    if data.upgrade is not None:
        root = _upgrade(tree, data, growth, root, verifier)
    if root is not None:
        known = tree.node(root.index)
        if known is None or known.hash != root.hash:
            raise _untrue(root.index)
        if known.size != root.size and root.index not in held:
            nodes += _put_right(tree, root)
    nodes += growth.nodes
    if not growth.nodes:
        head = (tree.fork, tree.length, tree.byte_length, list(tree.roots), tree.signature)
        return TreeUpdate(nodes, False, *head)
    assert data.upgrade is not None
    if verifier is None or not verifier.verify(
        tree_hash(growth.roots), growth.length, data.fork, data.upgrade.signature, growth.roots
    ):
        raise InvalidProof("The end of the log is not signed by its owner.")
    return TreeUpdate(
        nodes,
        True,
        data.fork,
        growth.length,
        growth.byte_length,
        growth.roots,
        data.upgrade.signature,
    )


def verify_paths(data: Data) -> tuple[Node | None, list[Node]]:
    """Hash a block, hash or seek proof upwards: the topmost node and all nodes on the way.

    (None, []) when the answer has no such proof. Raises `InvalidProof` when nodes are missing or
    out of order; whether the topmost node is true is for the caller to find out.
    """
    nodes: list[Node] = []
    root: Node | None = None
    if data.seek is not None and data.seek.nodes:
        first, *rest = data.seek.nodes
        root = _climb(first, NodeQueue(rest), nodes)
    if data.block is not None:
        leaf = leaf_node(data.block.index, data.block.value)
        root = _climb(leaf, NodeQueue(data.block.nodes, root), nodes)
    elif data.hash is not None:
        queue = NodeQueue(data.hash.nodes, root)
        root = _climb(queue.take(data.hash.index), queue, nodes)
    return root, nodes


def _climb(node: Node, queue: NodeQueue, nodes: list[Node]) -> Node:
    """Hash ``node`` upwards with all nodes of the queue; collects every node met."""
    nodes.append(node)
    while not queue.empty:
        beside = queue.take(sibling(node.index))
        node = parent_node(node, beside) if node.index < beside.index else parent_node(beside, node)
        nodes += (beside, node)
    return node


def fit_loose_sizes(tree: NodeSource, data: Data, nodes: list[Node]) -> set[int]:
    """Sizes that a liar could have shifted give way to those of nodes that are held.

    Returns the indices of such nodes that are held with the same hash. When only one of a pair is
    held, its sibling is added to ``nodes`` once more, with the size that fits.
    """
    held: set[int] = set()
    for group in _loose(data):
        ours = [same_node(tree, node) for node in group]
        held |= {node.index for node in ours if node is not None}
        if len(group) < 2:
            continue
        total = group[0].size + group[1].size
        for known, other, missing in ((ours[0], group[1], ours[1]), (ours[1], group[0], ours[0])):
            if known is not None and missing is None and total - known.size != other.size:
                nodes.append(Node(other.index, total - known.size, other.hash))
    return held


def _loose(data: Data) -> list[list[Node]]:
    """Sent nodes of whose sizes nothing above fixes more than the sum: pairs, or one at the top."""
    groups = []
    seek = data.seek.nodes if data.seek is not None else []
    targeted = data.block is not None or data.hash is not None
    if len(seek) > 1 or (seek and not targeted):
        groups.append(seek[:2])
    if data.hash is not None and data.block is None:
        start = data.hash.nodes[0]
        seek_root = seek[0].index if seek else -1
        for _ in seek[1:]:
            seek_root = parent(seek_root)
        if seek_root != sibling(start.index):
            groups.append(data.hash.nodes[:2])
        elif len(seek) == 1:
            groups.append([start, seek[0]])
    return groups


def same_node(tree: NodeSource, node: Node) -> Node | None:
    """The node held at that index, if it has the same hash."""
    known = tree.node(node.index)
    return known if known is not None and known.hash == node.hash else None


def _upgrade(
    tree: TreeView,
    data: Data,
    growth: Growth,
    root: Node | None,
    verifier: Verifier | None,
) -> Node | None:
    """Grow the tree; returns ``root`` unless the upgrade accounts for it."""
    upgrade = data.upgrade
    assert upgrade is not None
    prologue = verifier.prologue if verifier is not None else None
    try:
        return None if growth.upgrade(upgrade, root, prologue) else root
    except InvalidProof as error:
        if upgrade.start == tree.length:
            raise
        raise StaleProof(f"An upgrade from length {upgrade.start} came too late.") from error


def _put_right(tree: NodeSource, node: Node) -> list[Node]:
    """A stored node turns out to have another size: its true self, and its sibling's."""
    above = tree.node(parent(node.index))
    beside = tree.node(sibling(node.index))
    if above is None or beside is None:
        return [node]
    return [node, Node(beside.index, above.size - node.size, beside.hash)]


def _misplaced(index: int) -> InvalidProof:
    return InvalidProof(f"Tree node {index} is out of place in a proof.")


def _untrue(index: int) -> InvalidProof:
    return InvalidProof(f"What was sent does not match tree node {index} of the signed tree.")
