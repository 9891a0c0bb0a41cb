"""Words for storage tests: a log that grows, and what must be read back from it."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.hypercore import flat_tree
from holdfast.hypercore.backend import Backend, BlockWrite, Change, Head
from holdfast.hypercore.tree import Node, append_leaves, leaf_hash, tree_hash

KEY = bytes(range(32))


class Writer:
    """Appends to a backend the way a log does, without signatures."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        head = backend.head
        self.length = head.length if head else 0
        self.fork = head.fork if head else 0
        self.roots: list[Node] = []
        for index in flat_tree.full_roots(2 * self.length):
            node = backend.node(index)
            assert node is not None
            self.roots.append(node)

    @property
    def byte_length(self) -> int:
        return sum(root.size for root in self.roots)

    def change(self, blocks: Sequence[bytes]) -> Change:
        """The change that appends ``blocks``; call `took` once it is written."""
        roots, leaves, nodes = append_leaves(self.roots, self.length, blocks)
        start, offset = self.length, self.byte_length
        self._next = roots, start + len(blocks)
        head = head_of(roots, start + len(blocks), self.fork)
        return Change(
            head=head,
            leaves=leaves,
            nodes=nodes,
            blocks=[BlockWrite(start, offset, list(blocks))],
            present=[(start, len(blocks))],
        )

    def took(self) -> None:
        self.roots, self.length = self._next

    def append(self, *blocks: bytes, durable: bool = False) -> int:
        ticket = self.backend.write(self.change(blocks), durable=durable)
        self.took()
        return ticket

    def truncate(self, length: int) -> int:
        roots = []
        for index in flat_tree.full_roots(2 * length):
            node = self.backend.node(index)
            assert node is not None
            roots.append(node)
        self.fork += 1
        ticket = self.backend.write(
            Change(truncate=length, head=head_of(roots, length, self.fork)), durable=True
        )
        self.roots, self.length = roots, length
        return ticket


def head_of(roots: Sequence[Node], length: int, fork: int) -> Head:
    """A head whose "signature" is made of what it stands for, so that a test can check it."""
    size = sum(root.size for root in roots)
    return Head(fork, length, size, signature_of(roots, length, fork))


def signature_of(roots: Sequence[Node], length: int, fork: int) -> bytes:
    return tree_hash(roots) + length.to_bytes(8, "big") + fork.to_bytes(24, "big")


def read_block(backend: Backend, index: int) -> bytes:
    """A held block, checked as a log checks it."""
    leaf = backend.leaf(index)
    assert leaf is not None, f"leaf {index} is missing"
    data = backend.read(leaf.offset, leaf.size)
    if leaf_hash(data) != leaf.hash:
        raise BadBlock(index)
    return data


class BadBlock(Exception):
    """Bytes that do not match their leaf: a log reports them as damaged."""


def check_log(backend: Backend, blocks: Sequence[bytes], fork: int = 0) -> None:
    """The backend holds exactly these blocks, with a whole tree and the right head."""
    head = backend.head
    assert head is not None
    assert (head.length, head.fork) == (len(blocks), fork)
    roots, leaves, nodes = append_leaves([], 0, blocks)
    assert head == head_of(roots, len(blocks), fork)
    for leaf in leaves:
        assert backend.leaf(leaf.index) == leaf
        assert backend.node(2 * leaf.index) == Node(2 * leaf.index, leaf.size, leaf.hash)
    for node in nodes:
        assert backend.node(node.index) == node
    assert backend.leaf(len(blocks)) is None
    assert backend.present_ranges() == ([(0, len(blocks))] if blocks else [])
    for index, block in enumerate(blocks):
        assert backend.has(index)
        assert read_block(backend, index) == block
    assert not backend.has(len(blocks))
