"""What differs between two versions of a tree, without looking into what they share."""

from __future__ import annotations

from holdfast.errors import DecodeError
from holdfast.hyperbee.cursor import Bounds, Row
from holdfast.hyperbee.forest import Forest, Missing, too_deep
from holdfast.hyperbee.node import MAX_DEPTH, TreeNode

Pair = tuple[Row | None, Row | None]


class _Walk:
    """One tree as a sequence of subtrees and keys, each opened only when asked for.

    A frame ``[node, i]`` points at item i of a node: child i/2 when even, key i//2 when odd.
    """

    def __init__(self, forest: Forest, root: TreeNode | None, bounds: Bounds) -> None:
        self.forest = forest
        self.bounds = bounds
        self.stack: list[list[TreeNode | int]] = []
        self.last: bytes | None = None
        if root is not None:
            self.stack.append([_holder(root), 0])

    def head(self) -> tuple[TreeNode, int] | None:
        """The frame with the next item inside the range, or None at the end; raises `Missing`."""
        while self.stack:
            frame = self.stack[-1]
            node, i = frame
            assert isinstance(node, TreeNode) and isinstance(i, int)
            n = i >> 1
            if n >= len(node.seqs) if i & 1 else n > len(node.seqs):
                self.stack.pop()
            elif i & 1:
                key = self.forest.key_at(node, n)
                if self.bounds.above(key):
                    self.stack.clear()
                elif self.bounds.below(key):
                    frame[1] = i + 1
                else:
                    return node, i
            elif not node.kids or self._before(node, n):
                frame[1] = i + 1
            else:
                return node, i
        return None

    def _before(self, node: TreeNode, n: int) -> bool:
        """Whether child n lies before the range as a whole."""
        low = self.bounds.low
        return low is not None and n < len(node.seqs) and self.forest.key_at(node, n) <= low

    def skip(self) -> None:
        """Pass over the next item."""
        frame = self.stack[-1]
        frame[1] = frame[1] + 1  # type: ignore[operator]

    def open(self) -> None:
        """Replace the next item, a subtree, by what it holds; raises `Missing`."""
        node, i = self.stack[-1]
        assert isinstance(node, TreeNode) and isinstance(i, int)
        kid = node.kids[i >> 1]
        if kid.keys is None:
            self.forest.load(kid)
        if len(self.stack) > MAX_DEPTH:
            raise too_deep()
        self.skip()
        self.stack.append([kid, 0])

    def take(self) -> Row:
        """The next item, a key, with its value; raises `Missing`."""
        node, i = self.stack[-1]
        assert isinstance(node, TreeNode) and isinstance(i, int)
        seq = node.seqs[i >> 1]
        entry = self.forest.read(seq)
        if self.last is not None and entry.key <= self.last:
            raise DecodeError("the keys of the bee are out of order")
        self.last = entry.key
        self.skip()
        return seq, entry.key, entry.value

    def end(self) -> bytes | None:
        """The first key after the next item (the item itself when it is a key), or None."""
        for node, i in reversed(self.stack):
            assert isinstance(node, TreeNode) and isinstance(i, int)
            # Frames below the top were already moved past the child that is open above them.
            if i >> 1 < len(node.seqs):
                return self.forest.key_at(node, i >> 1)
        return None


def _holder(root: TreeNode) -> TreeNode:
    """A node whose only item is the root, so that a root can be skipped like any subtree."""
    holder = TreeNode(0, 0)
    holder.fill([], [], [root])
    return holder


class Diff:
    """Entries that differ between two trees of one log, in order of their keys."""

    def __init__(
        self, forest: Forest, left: TreeNode | None, right: TreeNode | None, bounds: Bounds
    ) -> None:
        self._left = _Walk(forest, left, bounds)
        self._right = _Walk(forest, right, bounds)

    def next(self) -> Pair | None:
        """The next difference ``(left, right)``; one is None when only the other has the key.

        None at the end. Raises `Missing` with the position kept, so it can be called again.
        """
        a, b = self._left, self._right
        while True:
            left, right = a.head(), b.head()
            if left is None or right is None:
                return self._rest(a, left, b, right)
            is_key, other_is_key = left[1] & 1, right[1] & 1
            if is_key == other_is_key and _same(left, right):
                a.skip()
                b.skip()
            elif is_key and other_is_key:
                key, other = a.end(), b.end()
                assert key is not None and other is not None
                if key == other:
                    return self._take_both()
                return (a.take(), None) if key < other else (None, b.take())
            elif is_key:
                b.open()
            elif other_is_key:
                a.open()
            else:
                _open_wider(a, b)

    def _take_both(self) -> Pair:
        left = self._left.take()
        try:
            return left, self._right.take()
        except Missing:
            frame = self._left.stack[-1]  # step back: the pair is taken together or not at all
            frame[1] = frame[1] - 1  # type: ignore[operator]
            self._left.last = None
            raise

    def _rest(
        self,
        a: _Walk,
        left: tuple[TreeNode, int] | None,
        b: _Walk,
        right: tuple[TreeNode, int] | None,
    ) -> Pair | None:
        while left is not None:
            if left[1] & 1:
                return a.take(), None
            a.open()
            left = a.head()
        while right is not None:
            if right[1] & 1:
                return None, b.take()
            b.open()
            right = b.head()
        return None


def _same(left: tuple[TreeNode, int], right: tuple[TreeNode, int]) -> bool:
    (node, i), (other, j) = left, right
    if i & 1:
        return node.seqs[i >> 1] == other.seqs[j >> 1]
    kid, twin = node.kids[i >> 1], other.kids[j >> 1]
    return kid.seq == twin.seq and kid.offset == twin.offset


def _open_wider(a: _Walk, b: _Walk) -> None:
    """Open the subtree that reaches further: the other may equal a part of it."""
    end, other = a.end(), b.end()
    if end == other:
        a.open()
        b.open()
    elif end is None or (other is not None and end > other):
        a.open()
    else:
        b.open()
