"""Walking a range of keys in order, forwards or backwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

from holdfast.errors import DecodeError
from holdfast.hyperbee.forest import Forest, Missing, too_deep
from holdfast.hyperbee.node import MAX_DEPTH, TreeNode

Row = tuple[int, bytes, bytes | None]
"""Seq, key and value of an entry."""


class Bounds(NamedTuple):
    """A range of encoded keys; None is open, ``incl`` says whether the bound itself is inside."""

    low: bytes | None = None
    low_incl: bool = True
    high: bytes | None = None
    high_incl: bool = True

    def below(self, key: bytes) -> bool:
        """Whether ``key`` lies before the range."""
        low = self.low
        return low is not None and (key < low or (key == low and not self.low_incl))

    def above(self, key: bytes) -> bool:
        """Whether ``key`` lies after the range."""
        high = self.high
        return high is not None and (key > high or (key == high and not self.high_incl))


class Cursor:
    """A position in a tree; `take` raises `Missing` with the position kept, to be called again.

    A frame ``[node, i]`` says: child i was visited, key i comes next (backwards: key i - 1).
    """

    def __init__(
        self,
        forest: Forest,
        root: TreeNode | None,
        bounds: Bounds,
        *,
        reverse: bool = False,
        read: Callable[[int], tuple[bytes, bytes | None]] | None = None,
    ) -> None:
        self._forest = forest
        self._bounds = bounds
        self._reverse = reverse
        self._read = read
        self._stack: list[list[TreeNode | int]] = []
        self._down = root
        self._seeking = (bounds.high if reverse else bounds.low) is not None
        self._last: bytes | None = None

    def resume(self, frames: list[tuple[TreeNode, int]], down: TreeNode | None) -> None:
        """Stand where another cursor stood (nodes are loaded; see the extension)."""
        self._stack = [[node, i] for node, i in frames]
        self._down = down
        self._seeking = False

    def take(self, count: int) -> list[Row]:
        """The next entries, at most ``count``; empty at the end.

        Raises `Missing` when not even one can be had without a block from elsewhere, and
        `DecodeError` for keys out of order.
        """
        rows: list[Row] = []
        try:
            while len(rows) < count:
                if self._down is not None:
                    self._descend()
                elif not self._stack:
                    break
                elif self._reverse:
                    self._backwards(rows)
                else:
                    self._forwards(rows, count)
        except Missing:
            if not rows:
                raise
        return rows

    def _descend(self) -> None:
        """Go down from ``_down`` to the first leaf, or to the key that was sought."""
        forest = self._forest
        while (node := self._down) is not None:
            if node.keys is None:
                forest.load(node)
            if len(self._stack) > MAX_DEPTH:
                raise too_deep()
            keys = node.keys
            assert keys is not None
            i = len(keys) if self._reverse else 0
            if self._seeking:
                i, found = self._seek(node)
                if found:
                    return
            self._stack.append([node, i])
            self._down = node.kids[i] if node.kids else None
        self._seeking = False

    def _seek(self, node: TreeNode) -> tuple[int, bool]:
        """The place of the starting key in a node; when it is that very key, stand beside it."""
        reverse, bounds = self._reverse, self._bounds
        key = bounds.high if reverse else bounds.low
        assert key is not None and node.keys is not None
        try:
            i = bisect_left(node.keys, key)  # type: ignore[type-var]
        except TypeError:
            i = self._forest.probe(node, key)
        if i == len(node.keys) or node.keys[i] != key:
            return i, False
        self._seeking = False
        inclusive = bounds.high_incl if reverse else bounds.low_incl
        self._down = None
        if inclusive:
            self._stack.append([node, i + reverse])
        else:
            i += not reverse
            self._stack.append([node, i])
            self._down = node.kids[i] if node.kids else None
        return i, True

    def _forwards(self, rows: list[Row], count: int) -> None:
        frame = self._stack[-1]
        node, i = frame
        assert isinstance(node, TreeNode) and isinstance(i, int)
        seqs, kids = node.seqs, node.kids
        read = self._read or self._forest.read
        bounds, last = self._bounds, self._last
        high = bounds.high
        while i < len(seqs):
            seq = seqs[i]
            entry = read(seq)
            key = entry[0]
            if last is not None and key <= last:
                raise DecodeError("the keys of the bee are out of order")
            if high is not None and key >= high and bounds.above(key):
                self._stack.clear()
                return
            self._last = last = key
            rows.append((seq, key, entry[1]))
            frame[1] = i = i + 1
            if kids:
                self._down = kids[i]
                return
            if len(rows) >= count:
                return
        self._stack.pop()

    def _backwards(self, rows: list[Row]) -> None:
        frame = self._stack[-1]
        node, i = frame
        assert isinstance(node, TreeNode) and isinstance(i, int)
        if i == 0:
            self._stack.pop()
            return
        seq = node.seqs[i - 1]
        key, value = (self._read or self._forest.read)(seq)[:2]
        if self._last is not None and key >= self._last:
            raise DecodeError("the keys of the bee are out of order")
        if self._bounds.below(key):
            self._stack.clear()
            return
        self._last = key
        rows.append((seq, key, value))
        frame[1] = i - 1
        if node.kids:
            self._down = node.kids[i - 1]

    def upcoming(self, count: int) -> list[int]:
        """Blocks that `take` will need soon and that are not here, the next ones first."""
        wanted: dict[int, None] = {}
        if self._down is not None:
            self._wish(self._down, wanted)
        for node, i in reversed(self._stack):
            assert isinstance(node, TreeNode) and isinstance(i, int)
            seqs = node.seqs[:i][::-1] if self._reverse else node.seqs[i:]
            kids = node.kids[:i][::-1] if self._reverse else node.kids[i + 1 :]
            for j, seq in enumerate(seqs):
                if self._known_outside(node, i - 1 - j if self._reverse else i + j):
                    return list(wanted)
                if not self._forest.here(seq):
                    wanted[seq] = None
                if j < len(kids):
                    self._wish(kids[j], wanted)
                if len(wanted) >= count:
                    return list(wanted)
        return list(wanted)

    def _wish(self, node: TreeNode, wanted: dict[int, None]) -> None:
        if node.keys is None and not self._forest.here(node.seq):
            wanted[node.seq] = None
            return
        try:
            if node.keys is None:
                self._forest.load(node)
        except DecodeError:
            return  # it is reported when its turn comes
        below = node.seqs + [kid.seq for kid in node.kids]
        wanted.update((seq, None) for seq in below if not self._forest.here(seq))

    def _known_outside(self, node: TreeNode, i: int) -> bool:
        key = node.keys[i] if node.keys else None
        if key is None:
            return False
        return self._bounds.below(key) if self._reverse else self._bounds.above(key)
