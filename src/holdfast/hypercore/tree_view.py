"""Looking things up in a log's Merkle tree: what is known, and where bytes lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from holdfast.errors import RemoteError, SeekError
from holdfast.hypercore.flat_tree import depth, full_roots, left_span, lowest_zero, right_span
from holdfast.hypercore.message_types import RequestHash
from holdfast.hypercore.tree import Node, NodeSource


class InvalidRequest(RemoteError):
    """A request that no honest reader of this tree makes: refused, and counted against the peer."""

    code = "bad-request"


class MissingNode(InvalidRequest):
    """A tree node that is needed is not held here (yet, or any more). Nobody is to blame.

    Answered like a block that is not here. It is an `InvalidRequest` because a peer that asks
    beyond what we announced meets it too; who must tell them apart catches this one first.
    """

    code = "missing-node"


class TreeView(NodeSource, Protocol):
    """One version of a log's tree. ``roots`` cover ``length`` blocks; sizes are bytes as stored."""

    @property
    def fork(self) -> int:
        """Grows with each truncation."""

    @property
    def length(self) -> int:
        """Blocks under the roots."""

    @property
    def byte_length(self) -> int:
        """Bytes under the roots."""

    @property
    def roots(self) -> Sequence[Node]:
        """The full subtrees from left to right."""

    @property
    def signature(self) -> bytes | None:
        """Over the roots, length and fork; None where nobody asks for it."""


def need(tree: NodeSource, index: int) -> Node:
    """The node at a flat-tree index; raises `MissingNode`."""
    node = tree.node(index)
    if node is None:
        raise MissingNode(f"Tree node {index} is not held here.")
    return node


def unpadded(node: Node, padding: int) -> int:
    """Bytes under a node, not counting ``padding`` bytes of each block."""
    return node.size - padding * lowest_zero(node.index) if padding else node.size


def byte_offset(tree: TreeView, index: int) -> int:
    """Where the first byte under a flat-tree index lies in the log; raises `MissingNode`."""
    if index == 2 * tree.length:
        return tree.byte_length
    leaf = left_span(index)
    position = 0
    for root in tree.roots:
        if leaf > right_span(root.index):
            position += root.size
            continue
        at = root.index
        half = lowest_zero(at) >> 1
        while at != leaf:
            if leaf < at:
                at -= half
            else:
                position += need(tree, at - half).size
                at += half
            half >>= 1
        return position
    raise MissingNode(f"Tree node {index} lies beyond the end of the log.")


def missing_nodes(tree: TreeView, index: int) -> int:
    """How many levels above a flat-tree index the first known node is (0: itself, or no idea)."""
    head = 2 * tree.length
    zero = (index + 1) & ~index
    if index + zero > head:
        return 0
    node = tree.node
    count = 0
    while index + zero <= head and node(index) is None:
        count += 1
        index = (index | zero) & ~(zero << 1)
        zero <<= 1
    return count


def upgradeable(tree: NodeSource, length: int) -> bool:
    """Whether a peer that holds ``length`` blocks of this fork can be brought further from here."""
    return all(tree.node(index) is not None for index in full_roots(2 * length))


def _find(tree: TreeView, position: int, padding: int) -> tuple[int, int] | None:
    """Lowest known node a byte lies under, and the byte's distance from its start; None: beyond."""
    if position == 0:
        return 0, 0
    for root in tree.roots:
        size = unpadded(root, padding)
        if position == size:
            return right_span(root.index) + 2, 0
        if position > size:
            position -= size
            continue
        index = root.index
        half = lowest_zero(index) >> 1
        while index & 1:
            left = tree.node(index - half)
            if left is None:
                break
            size = unpadded(left, padding)
            if size == position:
                return right_span(left.index) + 2, 0
            if size > position:
                index -= half
            else:
                position -= size
                index += half
            half >>= 1
        return index, position
    return None


def local_seek(tree: TreeView, position: int, padding: int = 0) -> tuple[int, int] | None:
    """Block index and offset within it of byte ``position``, which does not count padding.

    None when tree nodes on the way are not known yet (see `seek_range`). The very end is
    ``(length, 0)``; raises `SeekError` beyond it.
    """
    found = _find(tree, position, padding)
    if found is None or position < 0:
        raise SeekError(f"Byte {position} lies outside the log.")
    return None if found[0] & 1 else (found[0] >> 1, found[1])


def seek_range(tree: TreeView, position: int, padding: int = 0) -> tuple[int, int, int] | None:
    """Blocks ``start`` to ``end`` among which byte ``position`` lies, and a guess which it is.

    None when `local_seek` can answer or the byte lies beyond the log as known here.
    """
    found = _find(tree, position, padding)
    if found is None or not found[0] & 1:
        return None
    index, inside = found
    start, count = left_span(index) >> 1, lowest_zero(index)
    size = unpadded(need(tree, index), padding)
    return start, start + count, start + min(count * inside // max(size, 1), count - 1)


def seek_hash_request(
    tree: TreeView, position: int, padding: int, next_held: Callable[[int], int]
) -> RequestHash | None:
    """The hash request that carries a seek a step further, or None when there is none to make.

    ``next_held(n)`` is the first block at or after ``n`` that the peer holds, or -1. The request
    names the held block nearest after the guess, because a peer proves a seek along with a node.
    """
    blocks = seek_range(tree, position, padding)
    if blocks is None:
        return None
    start, end, guess = blocks
    held = next_held(guess)
    if not guess <= held < end:
        held = next_held(start)
    if not start <= held < end:
        return None
    return RequestHash(2 * held, depth(start + end - 1))
