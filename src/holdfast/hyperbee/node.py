"""One node of the B-tree, and the shape rules of the tree.

A node is named by where it was written: block ``seq`` and its place ``offset`` in the index of that
block. Its content is read when it is first needed. Once written it never changes, so any number of
trees (the newest one, checkouts, a batch under way) share it; a batch works on private copies.
"""

from __future__ import annotations

from typing import cast

MIN_KEYS = 4
"""A node with fewer keys borrows from or merges with a sibling."""
MAX_KEYS = 8
"""A node with one more is split."""
MAX_DEPTH = 64
"""A taller tree is not a tree: with at least two children per node this is more than 2^64 keys."""

LEAF = cast("list[TreeNode]", ())
"""The children of every leaf: a tuple, since all leaves share it and nobody may change it."""


class TreeNode:
    """A node: ``seqs`` (blocks of its keys), ``keys`` (their bytes where known) and ``kids``.

    ``keys`` is None while the content was not read. ``owner`` is the writer whose private copy it
    is, ``changed`` says that the writer must write it again. ``codes`` are the seqs as varints
    (None until a writer needs them) and ``code`` is the place of the node as its parent writes it
    (None when not known); both save most of the work of writing a node again.
    """

    __slots__ = ("changed", "code", "codes", "keys", "kids", "offset", "owner", "seq", "seqs")

    seqs: list[int]
    keys: list[bytes | None] | None
    kids: list[TreeNode]
    codes: list[bytes] | None
    code: bytes | None
    owner: object

    def __init__(self, seq: int, offset: int) -> None:
        self.seq = seq
        self.offset = offset
        self.seqs = cast("list[int]", LEAF)
        self.keys = None
        self.kids = LEAF
        self.codes = None
        self.code = None
        self.owner = None
        self.changed = False

    def fill(self, seqs: list[int], keys: list[bytes | None], kids: list[TreeNode]) -> None:
        """Set the content."""
        self.seqs = seqs
        self.keys = keys
        self.kids = kids

    def copy(self, owner: object) -> TreeNode:
        """A private copy for a writer; the content must have been read."""
        node: TreeNode = _bare(TreeNode)
        node.seq = self.seq
        node.offset = self.offset
        node.seqs = self.seqs[:]
        node.keys = self.keys[:]  # type: ignore[index]
        node.kids = self.kids[:]
        codes = self.codes
        node.codes = [varint(n) for n in self.seqs] if codes is None else codes[:]
        node.code = self.code
        node.owner = owner
        node.changed = False
        return node


_bare = object.__new__


def varint(n: int) -> bytes:
    """A base-128 varint."""
    if n < 128:
        return bytes((n,))
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


SMALL = [varint(n) for n in range(128)]
"""The varints of one byte."""


def place(node: TreeNode) -> bytes:
    """Seq and offset of a written node as varints."""
    code = node.code
    if code is None:
        code = node.code = varint(node.seq) + varint(node.offset)
    return code


def new_node(owner: object) -> TreeNode:
    """An empty node that was not written yet."""
    node = TreeNode(0, 0)
    node.fill([], [], LEAF)
    node.codes = []
    node.owner = owner
    node.changed = True
    return node
