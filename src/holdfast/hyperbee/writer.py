"""Changing the tree: pure, in memory, one pending block for each operation.

The structure of the tree, which nodes a block carries and in which order are those of JavaScript
Hyperbee 2, so that the same operations give the same bytes. Every operation first reads all it
needs (and may raise `Missing`: nothing has changed then, fetch and call again), then changes
private copies.
"""

from __future__ import annotations

from bisect import bisect_left

from holdfast.hyperbee.blocks import encode_record
from holdfast.hyperbee.forest import Forest, too_deep
from holdfast.hyperbee.node import MAX_DEPTH, MAX_KEYS, MIN_KEYS, SMALL, TreeNode, new_node, varint
from holdfast.hyperbee.surgery import (
    borrow_left,
    borrow_right,
    collect,
    insert,
    merge,
    remove,
    still_current,
    take_tail,
)

Pending = tuple[bytes, bytes | None, list[TreeNode]]
"""Key, value and the nodes that the operation rewrote, the root first."""


class Writer:
    """A tree under change. ``start`` is the seq that the first pending block will get."""

    def __init__(self, forest: Forest, root: TreeNode | None, start: int) -> None:
        self.root = root
        self.start = start
        self.pending: list[Pending] = []
        self.made = 0
        """Tree nodes added so far (copies replace others)."""
        self._forest = forest
        self._owner = object()
        self._stale = False

    # ---------------------------------------------------------------- operations

    def find(self, key: bytes) -> int:
        """The seq that holds ``key`` now (it may be a pending one), or -1; raises `Missing`."""
        return -1 if self.root is None else self._forest.find(self.root, key)

    def read(self, seq: int) -> tuple[bytes, bytes | None]:
        """Key and value written by ``seq``, which may be a pending one; raises `Missing`."""
        if seq >= self.start:
            return self.pending[seq - self.start][:2]
        return self._forest.read(seq)[:2]

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set a key; raises `Missing`."""
        seq = self.start + len(self.pending)
        path, spots, found = self._descend(key)
        node, i = path[-1], spots[-1]
        keys, codes = node.keys, node.codes
        assert keys is not None and codes is not None
        code = varint(seq)
        if found:
            node.seqs[i] = seq
            codes[i] = code
            keys[i] = key
        else:
            node.seqs.insert(i, seq)
            codes.insert(i, code)
            keys.insert(i, key)
            if len(keys) > MAX_KEYS:
                self._split(path, spots)
                self._append_changed(path, seq, key, value)
                return
        if self._stale:
            self._append_changed(path, seq, key, value)
            return
        for offset, each in enumerate(path):
            each.seq = seq
            each.offset = offset
            each.code = code + SMALL[offset]
        self.pending.append((key, value, path))

    def delete(self, key: bytes) -> bool:
        """Remove a key; False when it is not there (nothing is written then). Raises `Missing`."""
        if self.root is None:
            return False
        path, spots, found = self._descend(key)
        if not found:
            return False
        target, at = path[-1], spots[-1]
        to_right = self._extend_to_leaf(path, spots)
        self._load_siblings(path, spots)
        leaf = path[-1]
        if leaf is target:
            remove(leaf, at)
        else:  # an inner key is replaced by its nearest neighbour in a leaf
            seq, near, code = remove(leaf, 0 if to_right else -1)
            target.seqs[at] = seq
            target.keys[at] = near  # type: ignore[index]
            target.codes[at] = code  # type: ignore[index]
        root = self._rebalance(path, spots)
        self._append_changed(path, self.start + len(self.pending), key, None, root)
        return True

    def mark(self, key: bytes) -> None:
        """Repeat what a refused compare-and-swap put leaves behind in JavaScript.

        It marks the inner nodes on its way as changed, so the next operation of the batch writes
        them again.
        """
        path, _, _ = self._descend(key)
        for node in path:
            node.changed = bool(node.kids)
        self._stale = True

    # ---------------------------------------------------------------- reading first

    def _descend(self, key: bytes) -> tuple[list[TreeNode], list[int], bool]:
        """Private copies from the root to the key or its leaf, and the place taken in each."""
        forest, owner = self._forest, self._owner
        node = self.root
        if node is None:
            node = self.root = new_node(owner)
        path: list[TreeNode] = []
        spots: list[int] = []
        for _ in range(MAX_DEPTH):
            if node.owner is not owner:
                node = self._own(node, path, spots)
            keys = node.keys
            try:
                i = bisect_left(keys, key)  # type: ignore[type-var,arg-type]
            except TypeError:  # a key on the way is not known yet
                i = forest.probe(node, key)
            path.append(node)
            spots.append(i)
            if i < len(keys) and keys[i] == key:  # type: ignore[arg-type,index]
                return path, spots, True
            if not node.kids:
                return path, spots, False
            node = node.kids[i]
        raise too_deep()

    def _own(self, node: TreeNode, path: list[TreeNode], spots: list[int]) -> TreeNode:
        """Put a private copy in the place of a node (nothing changes yet); raises `Missing`."""
        if node.owner is not self._owner:
            if node.keys is None:
                self._forest.load(node)
            node = node.copy(self._owner)
            if path:
                path[-1].kids[spots[-1]] = node
            else:
                self.root = node
        return node

    def _loaded(self, node: TreeNode) -> TreeNode:
        if node.keys is None:
            self._forest.load(node)
        return node

    def _extend_to_leaf(self, path: list[TreeNode], spots: list[int]) -> bool:
        """Go on from an inner key to its neighbour in a leaf: that with more keys, else the left.

        True when that is the right one.
        """
        node, i = path[-1], spots[-1]
        if not node.kids:
            return False
        left, right = self._edge_size(node.kids[i], -1), self._edge_size(node.kids[i + 1], 0)
        to_right = left < right
        spots[-1] = i + to_right
        while node.kids:
            node = self._own(node.kids[spots[-1]], path, spots)
            path.append(node)
            spots.append(0 if to_right else len(node.kids) - 1)
        return to_right

    def _edge_size(self, node: TreeNode, end: int) -> int:
        """Keys in the outermost leaf under a node."""
        for _ in range(MAX_DEPTH):
            if not self._loaded(node).kids:
                return len(node.seqs)
            node = node.kids[end]
        raise too_deep()

    def _load_siblings(self, path: list[TreeNode], spots: list[int]) -> None:
        """Read the siblings that `_rebalance` will look at."""
        size = len(path[-1].seqs) - 1
        for depth in range(len(path) - 1, 0, -1):
            if size >= MIN_KEYS:
                return
            kids, i = path[depth - 1].kids, spots[depth - 1]
            beside = [self._loaded(kids[j]) for j in (i - 1, i + 1) if 0 <= j < len(kids)]
            if any(len(node.seqs) > MIN_KEYS for node in beside):
                return
            size = len(path[depth - 1].seqs) - 1

    # ---------------------------------------------------------------- changing

    def _own_kid(self, parent: TreeNode, i: int) -> TreeNode:
        node = parent.kids[i]
        if node.owner is not self._owner:
            node = parent.kids[i] = node.copy(self._owner)
        node.changed = True
        return node

    def _split(self, path: list[TreeNode], spots: list[int]) -> None:
        """Split the leaf of the path, and above it whatever grows too large."""
        for depth in range(len(path) - 1, -1, -1):
            node = path[depth]
            if len(node.seqs) <= MAX_KEYS:
                return
            right = new_node(self._owner)
            self.made += 1
            middle = len(node.seqs) - (len(node.seqs) >> 1) - 1
            take_tail(node, middle + 1, right)
            if node.kids:
                right.kids = node.kids[middle + 1 :]
                del node.kids[middle + 1 :]
            median = remove(node, -1)
            if depth:
                parent, i = path[depth - 1], spots[depth - 1]
                insert(parent, i, median)
                parent.kids.insert(i + 1, right)
            else:
                self.root = new_node(self._owner)
                insert(self.root, 0, median)
                self.root.kids = [node, right]

    def _rebalance(self, path: list[TreeNode], spots: list[int]) -> TreeNode:
        """Borrow or merge upwards from a leaf that lost a key; returns the root."""
        root = path[0]
        for depth in range(len(path) - 1, 0, -1):
            node, parent, i = path[depth], path[depth - 1], spots[depth - 1]
            if len(node.seqs) >= MIN_KEYS:
                return root
            if i > 0 and len(parent.kids[i - 1].seqs) > MIN_KEYS:
                borrow_left(parent, i, self._own_kid(parent, i - 1), node)
                return root
            last = len(parent.kids) - 1
            if i < last and len(parent.kids[i + 1].seqs) > MIN_KEYS:
                borrow_right(parent, i, node, self._own_kid(parent, i + 1))
                return root
            if i > 0:
                merge(parent, i - 1, self._own_kid(parent, i - 1), node, self._owner)
            else:
                merge(parent, i, node, parent.kids[i + 1], self._owner)
        if not root.seqs and root.kids:
            return self._lower(root.kids[0])
        return root

    def _lower(self, kid: TreeNode) -> TreeNode:
        """The only child becomes the root: a new node with the same lists.

        The old one may still be named by an earlier block of this batch, which keeps it there
        (as in JavaScript).
        """
        root = TreeNode(0, 0)
        root.owner = kid.owner
        root.codes = kid.codes
        root.fill(kid.seqs, kid.keys, kid.kids)  # type: ignore[arg-type]
        return root

    # ---------------------------------------------------------------- blocks

    def _append_changed(
        self,
        path: list[TreeNode],
        seq: int,
        key: bytes,
        value: bytes | None,
        root: TreeNode | None = None,
    ) -> None:
        for node in path:
            node.changed = True
        if root is not None:
            self.root = root
        assert self.root is not None
        nodes: list[TreeNode] = []
        collect(self.root, seq, nodes)
        self._stale = False
        self.pending.append((key, value, nodes))

    def pack(self) -> list[bytes]:
        """The pending operations as blocks. The writer must not be used for changes afterwards.

        Only the last block keeps all nodes it rewrote; the others drop those that a later one
        rewrote again.
        """
        blocks: list[bytes] = []
        last = len(self.pending) - 1
        for i, (key, value, nodes) in enumerate(self.pending):
            kept = nodes if i == last else still_current(nodes, self.start + i)
            blocks.append(encode_record(key, value, kept))
        return blocks

    @property
    def reusable(self) -> bool:
        """Whether the tree in memory is exactly the one written (no refused put left marks)."""
        return not self._stale
