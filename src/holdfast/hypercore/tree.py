"""Nodes of the Merkle tree over a log's blocks, and how it grows (hypercore.md 4.3).

A leaf hashes its block, a parent its two children, and the tree hash (the thing that is signed)
the roots of the complete subtrees. The three carry different first bytes, so that none can be
passed off as another. Sizes are bytes as stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from holdfast.crypto import blake2b_prefixed_many, hasher

if TYPE_CHECKING:
    from holdfast.hypercore.backend import Leaf

_LEAF = 0
_PARENT = 1
_ROOTS = b"\x02"

_prefix = Struct("<BQ").pack
_parent_input = Struct("<BQ32s32s").pack
_root_entry = Struct("<32sQQ").pack
# Copying an empty state is a third cheaper than setting a new one up.
_fresh = hasher().copy
_new = tuple.__new__

_BATCH_BLOCKS, _BIG_BLOCK = 4, 16384
"""From this many blocks of this size on a second processor saves more than it costs."""

_JOIN_LIMIT = 4096
"""Below this many bytes one copy of the block is cheaper than a second call into the hash."""


class Node(NamedTuple):
    """One node: flat-tree index, bytes of all blocks under it, hash."""

    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody calls
    size: int
    hash: bytes


class NodeSource(Protocol):
    """Anything that tree nodes can be looked up in."""

    def node(self, index: int, /) -> Node | None:
        """The node at a flat-tree index, or None when it is not known."""


def leaf_hash(block: bytes | bytearray | memoryview) -> bytes:
    """Hash of one block as stored."""
    state = _fresh()
    size = len(block)
    if size < _JOIN_LIMIT:
        state.update(_prefix(_LEAF, size) + block)
    else:
        state.update(_prefix(_LEAF, size))
        state.update(block)
    return state.digest()


def leaf_hashes(blocks: Sequence[bytes | memoryview]) -> Iterator[bytes]:
    """`leaf_hash` of each block, on two processors where that is worth it."""
    return _hash_big(blocks) or map(leaf_hash, blocks)


def leaf_node(index: int, block: bytes | bytearray | memoryview) -> Node:
    """Tree node of block number ``index``."""
    return _new(Node, (2 * index, len(block), leaf_hash(block)))


def parent_hash(size: int, left: bytes, right: bytes) -> bytes:
    """Hash of the parent of two hashes, left one first; ``size`` is the sum of both sizes."""
    state = _fresh()
    state.update(_parent_input(_PARENT, size, left, right))
    return state.digest()


def parent_node(left: Node, right: Node) -> Node:
    """The parent of two siblings, left one first."""
    size = left.size + right.size
    index = left.index + right.index >> 1
    return _new(Node, (index, size, parent_hash(size, left.hash, right.hash)))


def tree_hash(roots: Sequence[Node]) -> bytes:
    """Hash over the roots of a log: the thing that is signed."""
    state = _fresh()
    state.update(_ROOTS)
    for index, size, digest in roots:
        state.update(_root_entry(digest, index, size))
    return state.digest()


def _hash_big(blocks: Sequence[bytes | memoryview]) -> Iterator[bytes] | None:
    """Leaf hashes of a batch that is worth two processors; None for any other."""
    if len(blocks) < _BATCH_BLOCKS or len(blocks[0]) < _BIG_BLOCK:
        return None
    return iter(blake2b_prefixed_many([(_prefix(_LEAF, len(block)), block) for block in blocks]))


def append_leaves(
    roots: Sequence[Node], length: int, blocks: Sequence[bytes | memoryview]
) -> tuple[list[Node], list[Leaf], list[Node]]:
    """Grow a tree of ``length`` blocks by ``blocks``.

    Returns the new roots, the new leaves (with their byte offsets) and the new interior nodes; the
    arguments are left alone. Budget: 4 microseconds for a block of 100 bytes, so the loop is flat.
    """
    # Not at module level: the backend contract is written in terms of `Node`.
    from holdfast.hypercore.backend import Leaf

    stack: list[Node] = list(roots)
    leaves: list[Leaf] = []
    parents: list[Node] = []
    position = sum(root.size for root in stack)
    push, pop = stack.append, stack.pop
    add_leaf, add_parent = leaves.append, parents.append
    fresh, prefix, parent_input, new = _fresh, _prefix, _parent_input, _new

    hashed = _hash_big(blocks)
    for block in blocks:
        size = len(block)
        if hashed is not None:
            digest = next(hashed)
        else:
            state = fresh()
            if size < _JOIN_LIMIT:
                state.update(prefix(_LEAF, size) + block)
            else:
                state.update(prefix(_LEAF, size))
                state.update(block)
            digest = state.digest()
        add_leaf(new(Leaf, (length, size, digest, position)))
        position += size
        index = 2 * length
        # One finished subtree per trailing one bit of the count of leaves before this one.
        zero = 1
        while length & zero:
            _, left_size, left = pop()
            size += left_size
            index -= zero
            state = fresh()
            state.update(parent_input(_PARENT, size, left, digest))
            digest = state.digest()
            zero <<= 1
            add_parent(new(Node, (index, size, digest)))
        push(parents[-1] if zero > 1 else new(Node, (index, size, digest)))
        length += 1

    return stack, leaves, parents
