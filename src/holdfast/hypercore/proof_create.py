"""Answering requests: which tree nodes prove what (hypercore.md 4.3, ``generateProof``).

The order of the nodes is the protocol: the reader rebuilds the hashes in exactly this order and has
no other way to tell what a node is for.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.hypercore.flat_tree import (
    contains,
    full_roots,
    left_span,
    lowest_zero,
    right_span,
    siblings_up,
    upgrade_path,
)
from holdfast.hypercore.manifest import Prologue
from holdfast.hypercore.message_types import (
    BlockData,
    Data,
    HashData,
    RequestBlock,
    RequestHash,
    RequestSeek,
    RequestUpgrade,
    SeekData,
    UpgradeData,
)
from holdfast.hypercore.tree import Node, NodeSource
from holdfast.hypercore.tree_view import (
    InvalidRequest,
    MissingNode,
    TreeView,
    byte_offset,
    need,
    unpadded,
)


def block_proof(tree: TreeView, index: int, nodes: int) -> list[Node]:
    """Nodes that prove block ``index`` to a reader who knows the tree node ``nodes`` levels up.

    Same result as `create_proof` with only a block, for the request that is made all the time.
    Raises `InvalidRequest`.
    """
    head = 2 * tree.length
    at = 2 * index
    if at >= head:
        raise _beyond(index)
    node = tree.node
    proof = []
    zero = 1
    while nodes:
        found = node(at ^ zero << 1)
        at = (at | zero) & ~(zero << 1)
        zero <<= 1
        if at + zero > head:
            raise _too_high()
        if found is None:
            raise MissingNode("A tree node that would prove the block is not held here.")
        proof.append(found)
        nodes -= 1
    return proof


def create_proof(
    tree: TreeView,
    *,
    block: RequestBlock | None = None,
    hash: RequestHash | None = None,
    seek: RequestSeek | None = None,
    upgrade: RequestUpgrade | None = None,
    prologue: Prologue | None = None,
) -> Data:
    """The answer to a request, except for its id, the bytes of the block and the manifest.

    ``prologue`` is that of the log's manifest; an upgrade is widened to cover it. Raises
    `InvalidRequest` when the request makes no sense and `MissingNode` when it cannot be answered
    from here.
    """
    if tree.length == 0:
        return Data(0, tree.fork)
    if upgrade is not None and prologue is not None and upgrade.start < prologue.length:
        upgrade = RequestUpgrade(0, prologue.length)
    head = 2 * tree.length
    start = 2 * upgrade.start if upgrade is not None else 0
    to = start + 2 * upgrade.length if upgrade is not None else head
    if not start < to <= head:
        raise InvalidRequest("The peer asks for an upgrade that this log cannot give.")

    target = _target(tree, block, hash)
    if seek is not None and upgrade is not None and target is not None and target.index >= start:
        raise InvalidRequest("A seek cannot be combined with a block inside the same upgrade.")

    answer = _Answer(tree, target, seek is not None)
    wanted = head  # the node that, somewhere in the upgrade, is replaced by its own proof
    if target is not None and (upgrade is None or target.end <= upgrade.start):
        root = _trusted_root(target, to)
        answer.prove(_seek_under(tree, root, seek) if seek is not None else head, root)
    elif upgrade is not None and seek is not None:
        wanted = _seek_below(tree, to, seek)
    elif upgrade is not None and target is not None:
        wanted = target.index

    upgrade_data = None
    if upgrade is not None:
        nodes = answer.upgrade(upgrade_path(start, to), wanted)
        additional = [need(tree, index) for index in upgrade_path(to, head)] if head > to else []
        upgrade_data = UpgradeData(
            upgrade.start, upgrade.length, nodes, additional, tree.signature or None
        )

    block_data = hash_data = seek_data = None
    if target is not None:
        if answer.nodes is None:
            raise InvalidRequest("The peer asks for a block or node outside the upgrade.")
        if block is not None:
            block_data = BlockData(block.index, b"", answer.nodes)
        else:
            hash_data = HashData(target.index, answer.nodes)
    if seek is not None and answer.seek_nodes is not None:
        seek_data = SeekData(seek.bytes, answer.seek_nodes)
    return Data(0, tree.fork, block_data, hash_data, seek_data, upgrade_data)


class _Target(NamedTuple):
    """The block or hash asked for."""

    index: int  # type: ignore[assignment]
    levels: int
    end: int
    """First block beyond it."""
    is_block: bool


def _target(tree: TreeView, block: RequestBlock | None, hash: RequestHash | None) -> _Target | None:
    if block is not None:
        target = _Target(2 * block.index, block.nodes, block.index + 1, True)
    elif hash is not None:
        target = _Target(hash.index, hash.nodes, (right_span(hash.index) >> 1) + 1, False)
    else:
        return None
    if target.end > tree.length:
        raise _beyond(target.end - 1)
    return target


class _Answer:
    """Node lists of an answer while they are put together."""

    def __init__(self, tree: NodeSource, target: _Target | None, seeks: bool) -> None:
        self.tree = tree
        self.target = target
        self.seeks = seeks
        self.nodes: list[Node] | None = None
        self.seek_nodes: list[Node] | None = None

    def prove(self, seek_root: int, root: int) -> None:
        """Prove the target, and the seek beside it, to somebody who will know ``root``."""
        tree, target = self.tree, self.target
        if target is None:
            self._prove_seek(seek_root, root)
            return
        if not contains(root, target.index):
            raise InvalidRequest("A seek and a hash lie in different parts of the upgrade.")
        self.nodes = [] if target.is_block else [need(tree, target.index)]
        for index in siblings_up(target.index, root):
            if self.seeks and index != seek_root and contains(index, seek_root):
                self._prove_seek(seek_root, index)
            else:
                self.nodes.append(need(tree, index))

    def _prove_seek(self, seek_root: int, root: int) -> None:
        path = [seek_root, *siblings_up(seek_root, root)]
        self.seek_nodes = [need(self.tree, index) for index in path]

    def upgrade(self, path: list[int], wanted: int) -> list[Node]:
        """Nodes of an upgrade, less the one that the proof of ``wanted`` leads up to."""
        nodes = []
        for index in path:
            if self.nodes is None and self.seek_nodes is None and contains(index, wanted):
                self.prove(wanted, index)
            else:
                nodes.append(need(self.tree, index))
        return nodes


def _trusted_root(target: _Target, head: int) -> int:
    """The node that the reader says it knows, ``levels`` above the target."""
    at = target.index
    zero = lowest_zero(at)
    for _ in range(target.levels):
        at = (at | zero) & ~(zero << 1)
        zero <<= 1
        if at + zero > head:
            raise _too_high()
    return at


def _seek_below(tree: NodeSource, head: int, seek: RequestSeek) -> int:
    """The node a byte falls into, among the blocks below ``head``; ``head`` when beyond them."""
    position = seek.bytes
    for index in full_roots(head):
        size = unpadded(need(tree, index), seek.padding)
        if position == size:
            return index
        if position < size:
            return _descend(tree, index, position, seek.padding)
        position -= size
    return head


def _seek_under(tree: TreeView, root: int, seek: RequestSeek) -> int:
    """The node under ``root`` that a byte falls into; the byte must lie under ``root``."""
    before = byte_offset(tree, root) - seek.padding * (left_span(root) >> 1)
    position = seek.bytes - before
    if position == 0:
        return root
    if position < 0 or unpadded(need(tree, root), seek.padding) <= position:
        raise InvalidRequest("The peer seeks a byte outside the blocks it names.")
    return _descend(tree, root, position, seek.padding)


def _descend(tree: NodeSource, index: int, position: int, padding: int) -> int:
    """Lowest known node under ``index`` that ends at or contains a byte."""
    half = lowest_zero(index) >> 1
    while position and index & 1:
        left = tree.node(index - half)
        if left is None:
            return index
        size = unpadded(left, padding)
        if size == position:
            return left.index
        if size > position:
            index -= half
        else:
            position -= size
            index += half
        half >>= 1
    return index


def _beyond(index: int) -> InvalidRequest:
    return InvalidRequest(f"The peer asks for block {index}, which this log does not have.")


def _too_high() -> InvalidRequest:
    return InvalidRequest("The peer claims to know a tree node beyond the end of the log.")
