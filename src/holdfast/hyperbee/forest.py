"""Blocks and tree nodes of one bee, decoded once and shared by all its views.

Everything here is synchronous: a block that is not on this machine raises `Missing`, the caller
fetches it and tries again. So a lookup that finds everything here costs no task switch, and nothing
can change under it. Blocks never change, so nothing is ever stale, except when the log is cut
back (`Forest.truncated`), which forgets everything.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left

from holdfast.errors import BlockNotAvailable, DamagedError, DecodeError
from holdfast.hyperbee.blocks import Record, decode_level, decode_record
from holdfast.hyperbee.core import Session
from holdfast.hyperbee.node import LEAF, MAX_DEPTH, TreeNode

MAX_NODES = 32_768
"""Decoded tree nodes kept (about 1 KiB each, some 170,000 keys); beyond it all are dropped."""
MAX_ENTRY_BYTES = 4 << 20
"""Bytes of decoded blocks in each of two generations of the cache."""
ENTRY_OVERHEAD = 300
"""What a cached entry costs beside its bytes."""


class Missing(Exception):
    """Block ``seq`` is needed and not here; ``also`` are blocks that will be needed with it."""

    def __init__(self, seq: int, also: list[int] | None = None) -> None:
        super().__init__(seq)
        self.seq = seq
        self.also = also or []


class Forest:
    """Caches over one log, its write lock, and the newest tree."""

    def __init__(self, core: Session) -> None:
        self.core = core
        self.lock = asyncio.Lock()
        self.cuts: list[int] = []
        """Lengths to which the log was truncated since it was opened."""
        self._entries: dict[int, Record] = {}
        self._older: dict[int, Record] = {}
        self._entry_bytes = 0
        self._nodes: dict[tuple[int, int], TreeNode] = {}
        self._count = 0
        self.writes = 0
        """Batches written so far."""
        self._newest: TreeNode | None = None
        self._newest_version = 0
        core.on_truncate(self.truncated)

    # ---------------------------------------------------------------- blocks

    def entry(self, seq: int) -> Record:
        """The decoded block ``seq``; raises `Missing`, or `DecodeError` when it is no bee entry."""
        found = self._entries.get(seq)
        if found is not None:
            return found
        found = self._older.get(seq)
        if found is None:
            found = decode_record(self._local(seq))
        return self._keep(seq, found)

    def add(self, seq: int, block: bytes) -> Record:
        """Keep a block that was fetched just now; `DecodeError` when it is no bee entry."""
        return self._keep(seq, decode_record(block))

    def read(self, seq: int) -> Record:
        """Like `entry` for a block that is looked at once: it is not kept."""
        found = self._entries.get(seq) or self._older.get(seq)
        if found is not None:
            return found
        return decode_record(self._local(seq))

    def _local(self, seq: int) -> bytes:
        try:
            block = self.core.get_local(seq)
        except DamagedError:  # fetching it again repairs it, or tells about it
            raise Missing(seq) from None
        if block is None:
            raise Missing(seq)
        return block

    def here(self, seq: int) -> bool:
        """Whether a block can be read without waiting."""
        return seq in self._entries or seq in self._older or self.core.has(seq)

    def _keep(self, seq: int, entry: Record) -> Record:
        cost = len(entry[0]) + len(entry[1] or b"") + len(entry[2]) + ENTRY_OVERHEAD
        if self._entry_bytes + cost > MAX_ENTRY_BYTES:
            self._older = self._entries
            self._entries = {}
            self._entry_bytes = 0
        self._entry_bytes += cost
        self._entries[seq] = entry
        return entry

    # ---------------------------------------------------------------- nodes

    def load(self, node: TreeNode) -> None:
        """Read the content of a node; raises `Missing`, or `DecodeError` for an impossible one."""
        seq, offset = node.seq, node.offset
        known = self._nodes.get((seq, offset))
        if known is not None:
            node.fill(known.seqs, known.keys, known.kids)  # type: ignore[arg-type]
            node.codes = known.codes
            return
        seqs, pairs = decode_level(self.entry(seq).tree, offset)
        if pairs:
            kids = [TreeNode(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=False)]
            if len(pairs) != 2 * len(seqs) + 2 or max(pairs[::2]) > seq:
                raise DecodeError(f"block {seq} of the bee holds a tree node with wrong children")
        else:
            kids = LEAF
        if seqs and not 0 < min(seqs) <= max(seqs) <= seq:
            raise DecodeError(f"block {seq} of the bee points to a key that is not written yet")
        if self._count >= MAX_NODES:
            self.forget()
        self._count += 1
        node.fill(seqs, [None] * len(seqs), kids)
        self._nodes[seq, offset] = node

    def probe(self, node: TreeNode, key: bytes) -> int:
        """`bisect_left` over the keys of a node that are not all known; reads those it compares."""
        keys = node.keys
        assert keys is not None
        low, high = 0, len(keys)
        while low < high:
            mid = (low + high) >> 1
            at = keys[mid]
            if at is None:
                try:
                    at = keys[mid] = self.entry(node.seqs[mid]).key
                except Missing as missing:
                    missing.also = [s for s, k in zip(node.seqs, keys, strict=True) if k is None]
                    raise
            if at < key:
                low = mid + 1
            else:
                high = mid
        return low

    def key_at(self, node: TreeNode, i: int) -> bytes:
        """Key ``i`` of a loaded node; raises `Missing`."""
        keys = node.keys
        assert keys is not None
        key = keys[i]
        if key is None:
            key = keys[i] = self.entry(node.seqs[i]).key
        return key

    def find(self, node: TreeNode, key: bytes) -> int:
        """The block that holds ``key`` in the tree under ``node``, or -1; raises `Missing`."""
        for _ in range(MAX_DEPTH):
            keys = node.keys
            if keys is None:
                self.load(node)
                keys = node.keys
            try:
                i = bisect_left(keys, key)  # type: ignore[type-var,arg-type]
            except TypeError:  # a key on the way is not known yet
                i = self.probe(node, key)
            if i < len(keys) and keys[i] == key:  # type: ignore[arg-type,index]
                return node.seqs[i]
            kids = node.kids
            if not kids:
                return -1
            node = kids[i]
        raise too_deep()

    # ---------------------------------------------------------------- versions

    def root(self, version: int) -> TreeNode | None:
        """The root of a version, maybe not read yet; None for an empty tree."""
        if version < 2:
            return None
        if version == self._newest_version and self._newest is not None:
            return self._newest
        root = TreeNode(version - 1, 0)
        if version > self._newest_version:
            self._newest = root
            self._newest_version = version
        return root

    def commit(self, root: TreeNode, version: int, nodes: int) -> None:
        """Remember the tree that was just written, with so many new ``nodes``."""
        self.writes += 1
        self._count += nodes
        if self._count > MAX_NODES:
            self.forget()
        else:
            self._newest = root
            self._newest_version = version

    def forget(self) -> None:
        """Drop all decoded nodes; views and batches in use keep theirs."""
        self._nodes = {}
        self._newest = None
        self._newest_version = 0
        self._count = 0

    def truncated(self, length: int | None = None, *_: object) -> None:
        """The log was cut back: nothing known about its blocks holds any more."""
        self.cuts.append(self.core.length if length is None else length)
        self._entries = {}
        self._older = {}
        self._entry_bytes = 0
        self.forget()

    def intact(self, version: int, since: int) -> bool:
        """Whether ``version`` still is what it was when the log had been cut ``since`` times."""
        return len(self.cuts) == since or min(self.cuts[since:]) >= version

    def check(self, version: int, since: int) -> None:
        """Raise `BlockNotAvailable` unless that version is `intact`."""
        if not self.intact(version, since):
            raise BlockNotAvailable(
                f"Version {version} of the bee was taken back by its writer.",
                "Open the newest version.",
            )


def too_deep() -> DecodeError:
    """The error for a tree that points in circles."""
    return DecodeError("the tree of the bee is deeper than any tree can be")
