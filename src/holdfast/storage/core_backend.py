"""One log of a directory store: what of it is in memory, and its reads and writes.

What a checkpoint has not put in place yet is in memory: leaves and nodes as packed records, the
head, the bitfield. While a checkpoint runs, the records it is writing are in the two ``frozen``
dictionaries. Block bytes are always in the ``data`` file at once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.encoding import Buffer
from holdfast.encoding.bitfield import PAGE_BITS, Bitfield
from holdfast.errors import DamagedError, StoreError
from holdfast.hypercore import flat_tree
from holdfast.hypercore.backend import BlockWrite, Change, Head, Leaf
from holdfast.hypercore.tree import Node
from holdfast.storage import space
from holdfast.storage.core_files import DATA, LEAVES, LEAVES_START, NODES
from holdfast.storage.disk import write_all, write_parts
from holdfast.storage.entries import encode_change
from holdfast.storage.index import CoreRow
from holdfast.storage.ranges import present_ranges, spans_beyond
from holdfast.storage.records import (
    LEAF_BYTES,
    NO_LEAF,
    NO_NODE,
    NODE_BYTES,
    log_seed,
    mend_record,
    pack_leaves,
    pack_nodes,
    unpack_leaf,
    unpack_node,
)
from holdfast.storage.slots import read_slot

if TYPE_CHECKING:
    from holdfast.storage.engine import Engine

INLINE = 32 * 1024
"""Block bytes up to which a change carries them in the journal too: cheaper than a second sync."""

_NOTHING: dict[int, bytes] = {}


class CoreBackend:
    """`Backend` of one log in a directory."""

    def __init__(self, engine: Engine, key: bytes, discovery_key: bytes) -> None:
        self.key = key
        self.discovery_key = discovery_key
        self.id = 0
        """Its number in journal and index; 0 until it is first written to."""
        self.own = False
        self.head: Head | None = None
        self.manifest: bytes | None = None
        self.leaves: dict[int, bytes] = {}
        self.nodes: dict[int, bytes] = {}
        self.frozen_leaves = _NOTHING
        self.frozen_nodes = _NOTHING
        self.has_files = False
        """Whether a checkpoint wrote its files, so that missing ones are damage."""
        self.data_unsynced = False
        """Whether block bytes were written that no checkpoint has synced."""
        self.stored_pages: set[int] | None = None
        self.page_count = 0
        self.changed_pages: set[int] = set()
        self._bits: Bitfield | None = None
        self._engine = engine
        self.seed = log_seed(discovery_key)
        self._slot_checked = False
        self._rooted = -1
        self._roots: frozenset[int] = frozenset()

    # -- reading --------------------------------------------------------------------------------

    def leaf(self, index: int) -> Leaf | None:
        record = self.leaves.get(index)
        if record is None:
            record = self.frozen_leaves.get(index) or self._read_leaf(index)
            if record is None:
                return None
        leaf = unpack_leaf(index, record, self.seed)
        if leaf is None:
            mended = mend_record(index, record, self.seed)
            leaf = None if mended is None else unpack_leaf(index, mended, self.seed)
            if mended is None or leaf is None:
                raise self._damaged(f"The tree leaf of block {index}")
            self.leaves[index] = mended  # and back to its place with the next checkpoint
            self._engine.changed_cores[self.id] = self
        return leaf

    def node(self, index: int) -> Node | None:
        if not index & 1:
            leaf = self.leaf(index >> 1)
            return None if leaf is None else Node(index, leaf.size, leaf.hash)
        record = self.nodes.get(index)
        if record is None:
            record = self.frozen_nodes.get(index) or self._read_node(index)
            if record is None:
                return None
        node = unpack_node(index, record, self.seed)
        if node is None:
            mended = mend_record(index, record, self.seed)
            node = None if mended is None else unpack_node(index, mended, self.seed)
            if mended is None or node is None:
                raise self._damaged(f"Tree node {index}")
            self.nodes[index] = mended
            self._engine.changed_cores[self.id] = self
        return node

    def leaf_of(self, index: int, record: bytes) -> Leaf | None:
        """The leaf in a record of this log, or None when it is damaged."""
        return unpack_leaf(index, record, self.seed)

    def known_leaf(self, index: int) -> Leaf | None:
        """The leaf, or None also when its record is damaged."""
        try:
            return self.leaf(index)
        except DamagedError:
            return None

    def _read_leaf(self, index: int) -> bytes | None:
        fd = self._fd(LEAVES)
        record = b""
        if fd >= 0:
            record = self._pread(fd, LEAF_BYTES, LEAVES_START + LEAF_BYTES * index)
            if len(record) == LEAF_BYTES and record != NO_LEAF:
                return record
        if record.strip(b"\0") or self._must_know(2 * index) or (self.id and self.has(index)):
            raise self._damaged(f"The tree leaf of block {index}")
        return None

    def _read_node(self, index: int) -> bytes | None:
        fd = self._fd(NODES)
        record = b""
        if fd >= 0:
            record = self._pread(fd, NODE_BYTES, NODE_BYTES * (index >> 1))
            if len(record) == NODE_BYTES and record != NO_NODE:
                return record
        if record.strip(b"\0") or self._must_know(index):
            raise self._damaged(f"Tree node {index}")
        return None

    def _must_know(self, index: int) -> bool:
        """Whether a node has to be there: a writer knows its whole tree, everybody its roots."""
        head = self.head
        if head is None or spans_beyond(index, head.length):
            return False
        if self.own:
            return True
        if self._rooted != head.length:
            self._rooted = head.length
            self._roots = frozenset(flat_tree.full_roots(2 * head.length))
        return index in self._roots

    def _fd(self, kind: int) -> int:
        """Descriptor of a file for reading, or -1; checks once that it belongs to this log."""
        if self._slot_checked and self._engine.is_usable:
            known = self._engine.files.open.get(self.id << 2 | kind)
            if known is not None:  # as nearly always: two reads for each block come this way
                return known
        if not self.id:
            self._engine.check_usable()
            return -1
        fd = self._engine.fd(self, kind)
        if self.has_files and not self._slot_checked and kind != DATA:
            slots = self._engine.fd(self, LEAVES)
            slot = read_slot(slots) if slots >= 0 else None
            # Without a legible slot the records speak for themselves: each is bound to its log.
            if slots < 0 or slot is not None and slot.key != self.key:
                raise self._damaged("A tree file")
            self._slot_checked = True
            fd = self._engine.fd(self, kind)
        return fd

    def read(self, offset: int, size: int) -> bytes:
        fd = self._fd(DATA)
        if fd < 0:
            return b""
        data = self._pread(fd, size, offset)
        while data and len(data) < size:  # a read may be cut short by a signal, or by the end
            more = self._pread(fd, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def _pread(self, fd: int, size: int, offset: int) -> bytes:
        try:
            return os.pread(fd, size, offset)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> StoreError:
        if error.errno == errno.EIO:  # a bad sector is damage of what lies there, not of all
            return self._damaged("A file")
        return self._engine.failed(error)

    @property
    def bits(self) -> Bitfield:
        """Which blocks are held; loaded from the index when first asked for."""
        bits = self._bits
        if bits is None:
            bits = self._bits = self._load_bits()
        return bits

    def _load_bits(self) -> Bitfield:
        self._engine.check_usable()
        bits = Bitfield(track_dirty=True)
        index = self._engine.index
        pages = index.pages(self.id) if self.page_count else {}
        if (pages is None or len(pages) != self.page_count) and index.heal():
            pages = index.pages(self.id)
        if pages is None or len(pages) != self.page_count:
            raise self._damaged("The list of held blocks")
        for number, content in pages.items():
            bits.set_bytes(number * PAGE_BITS, content)
        bits.take_dirty()
        self.stored_pages = set(pages)
        return bits

    def has(self, index: int) -> bool:
        return self.bits.get(index)

    def present_ranges(self) -> list[tuple[int, int]]:
        return present_ranges(self.bits)

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError(
            f"{what} of log {self.key.hex()[:16]}… is damaged on disk.",
            "Fetch it again from somebody who has it, or restore the store from a copy.",
        )

    # -- writing --------------------------------------------------------------------------------

    def write(self, change: Change, *, durable: bool) -> int:
        engine = self._engine
        engine.check_usable()
        if change.truncate is not None:
            return engine.write_truncating(self, change)
        bits = self._bits or self.bits
        if not self.id:
            engine.register(self)
        blocks = change.blocks
        in_place = bool(blocks) and self._fits_in_place(change)
        inline = self.place_blocks(blocks, in_place) if blocks else []
        leaf_indices, leaf_records = pack_leaves(change.leaves, self.seed)
        node_indices, node_records = pack_nodes(change.nodes, self.seed)
        body = encode_change(
            self.id,
            change,
            leaf_indices,
            leaf_records,
            node_indices,
            node_records,
            None if in_place else inline,
        )
        try:
            ticket = engine.append(body)
        except StoreError:
            self._release(blocks)
            raise
        # Nothing below can fail: the change is in the journal.
        if change.head is not None:
            self.head = change.head
        if change.manifest is not None:
            self.manifest = change.manifest
        self.leaves.update(zip(leaf_indices, leaf_records))  # noqa: B905 - hot
        self.nodes.update(zip(node_indices, node_records))  # noqa: B905 - hot
        for start, count in change.present:
            if count == 1:
                bits.set(start)
            else:
                bits.set_range(start, count)
        for start, count in change.absent:
            bits.set_range(start, count, False)
        engine.changed(self, len(leaf_records) + len(node_records), in_place)
        return ticket

    def _fits_in_place(self, change: Change) -> bool:
        """Whether the blocks need not go through the journal.

        They need not when they are many bytes and each has its leaf, so that after a crash they can
        be told from blocks that were only half written.
        """
        total = 0
        for run in change.blocks:
            total += sum(map(len, run.data))
        if total <= INLINE:
            return False
        known = {leaf.index for leaf in change.leaves}
        for start, _, data in change.blocks:
            for index in range(start, start + len(data)):
                if index not in known and self.leaf(index) is None:
                    return False
        return True

    def place_blocks(self, runs: Sequence[BlockWrite], in_place: bool) -> list[Buffer]:
        """Write block bytes where they belong; returns those of each run unless ``in_place``."""
        inline: list[Buffer] = []
        engine = self._engine
        try:
            for _, offset, data in runs:
                fd = engine.fd(self, DATA, create=True)
                if in_place:
                    write_parts(fd, data, offset)
                    continue
                joined = data[0] if len(data) == 1 else b"".join(data)
                inline.append(joined)
                if os.pwrite(fd, joined, offset) != len(joined):
                    write_all(fd, joined, offset)
        except OSError as error:
            self._release(runs)
            raise engine.failed(error) from error
        self.data_unsynced = True
        return inline

    def _release(self, runs: Sequence[BlockWrite]) -> None:
        """Give back the space of blocks that did not make it, unless they were here before."""
        for start, offset, data in runs:
            if self.bits.count(start, start + len(data)) == 0:
                fd = self._engine.fd(self, DATA)
                if fd >= 0:
                    space.punch(fd, offset, sum(map(len, data)))

    def punch(self, offset: int, size: int) -> int:
        engine = self._engine
        engine.check_usable()
        if not self.id:
            return 0
        # The blocks must be known absent before their bytes go, whatever happens next.
        engine.sync_now()
        fd = engine.fd(self, DATA)
        return space.punch(fd, offset, size) if fd >= 0 else 0

    def close(self) -> None:
        """Let go of descriptors and memory; the object stays usable."""
        if self.id and self._engine.is_usable:
            self._engine.files.forget(self.id)
            if not self._engine.is_dirty(self) and self._bits is not None:
                self.page_count = len(self.stored_pages or ())
                self._bits = None

    # -- for the engine -------------------------------------------------------------------------

    def load(self, row: CoreRow) -> None:
        """Take what the index says."""
        self.id = row.id
        self.own = row.own
        self.head = row.head
        self.manifest = row.manifest
        self.page_count = row.pages
        self.has_files = row.files

    def row(self) -> CoreRow:
        """What the index should say."""
        pages = self.page_count if self.stored_pages is None else len(self.stored_pages)
        return CoreRow(
            self.id,
            self.key,
            self.discovery_key,
            self.own,
            self.head,
            self.manifest,
            pages,
            self.has_files,
        )

    def take_changed_pages(self) -> dict[int, bytes]:
        """Bitfield pages changed since the last call, without trailing zero bytes."""
        bits = self._bits
        if bits is None:
            return {}
        numbers = self.changed_pages.union(bits.take_dirty())
        self.changed_pages = set()
        if self.stored_pages is not None:
            self.stored_pages |= numbers
        return {number: bits.page(number).rstrip(b"\0") for number in numbers}
