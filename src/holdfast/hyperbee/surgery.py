"""Moving keys and children between tree nodes, and giving nodes their place in a block.

Every node here is a private copy of a writer.
"""

from __future__ import annotations

from holdfast.hyperbee.node import TreeNode


def collect(node: TreeNode, seq: int, into: list[TreeNode]) -> None:
    """Give every changed node its place in block ``seq``, parents before children."""
    node.seq = seq
    node.offset = len(into)
    node.code = None
    node.changed = False
    into.append(node)
    for kid in node.kids:
        if kid.changed:
            collect(kid, seq, into)


def still_current(nodes: list[TreeNode], seq: int) -> list[TreeNode]:
    """Without the root and the nodes written again later; the last one left fills each gap."""
    slots: list[TreeNode | None] = [node if node.seq == seq else None for node in nodes]
    slots[0] = None
    kept: list[TreeNode] = []
    for i in range(len(slots)):
        while len(slots) > i and slots[-1] is None:
            slots.pop()
        if len(slots) <= i:
            break
        node = slots[i] or slots.pop()
        assert node is not None
        node.offset = i
        node.code = None
        kept.append(node)
    return kept


Key = tuple[int, "bytes | None", bytes]
"""Seq, bytes where known, and encoded seq of a key that moves."""


def remove(node: TreeNode, i: int) -> Key:
    """Take key ``i`` out of a node."""
    return node.seqs.pop(i), node.keys.pop(i), node.codes.pop(i)  # type: ignore[union-attr]


def insert(node: TreeNode, i: int, key: Key) -> None:
    """Put a key in place ``i`` of a node."""
    node.seqs.insert(i, key[0])
    node.keys.insert(i, key[1])  # type: ignore[union-attr]
    node.codes.insert(i, key[2])  # type: ignore[union-attr]


def take_tail(node: TreeNode, i: int, into: TreeNode) -> None:
    """Move the keys from ``i`` on to the end of another node."""
    assert node.keys is not None and into.keys is not None
    assert node.codes is not None and into.codes is not None
    into.seqs += node.seqs[i:]
    into.keys += node.keys[i:]
    into.codes += node.codes[i:]
    del node.seqs[i:], node.keys[i:], node.codes[i:]


def borrow_left(parent: TreeNode, i: int, left: TreeNode, node: TreeNode) -> None:
    """Move the last key of the left sibling over the parent into child ``i``."""
    insert(node, 0, remove(parent, i - 1))
    if left.kids:
        node.kids.insert(0, left.kids.pop())
    insert(parent, i - 1, remove(left, -1))


def borrow_right(parent: TreeNode, i: int, node: TreeNode, right: TreeNode) -> None:
    """Move the first key of the right sibling over the parent into child ``i``."""
    insert(node, len(node.seqs), remove(parent, i))
    if right.kids:
        node.kids.append(right.kids.pop(0))
    insert(parent, i, remove(right, 0))


def merge(parent: TreeNode, i: int, left: TreeNode, right: TreeNode, owner: object) -> None:
    """Move key ``i`` of the parent and everything of its right child into the left one."""
    left.changed = True
    insert(left, len(left.seqs), remove(parent, i))
    moved = right.copy(owner)
    take_tail(moved, 0, left)
    if moved.kids:
        left.kids += moved.kids
    del parent.kids[i + 1]
    if right.owner is owner:
        right.seq = 0  # no block of this batch needs to keep it
