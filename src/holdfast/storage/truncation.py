"""Cutting a log shorter: the one change that destroys, and so the one that waits for the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from holdfast.errors import StoreError
from holdfast.hypercore.backend import Change
from holdfast.storage.core_files import DATA, LEAVES, LEAVES_START, NODES
from holdfast.storage.entries import encode_change
from holdfast.storage.ranges import spans_beyond, straddling_nodes
from holdfast.storage.records import LEAF_BYTES, NO_NODE, NODE_BYTES, pack_leaves, pack_nodes

if TYPE_CHECKING:
    from holdfast.storage.core_backend import CoreBackend
    from holdfast.storage.engine import Engine


def write_truncating(engine: Engine, core: CoreBackend, change: Change) -> int:
    """Apply a change that truncates; durable when it returns.

    Its record is synced before anything is overwritten, so its blocks must not be in place yet:
    they all travel in the journal.
    """
    assert change.truncate is not None
    length = change.truncate
    engine.checkpoints.join()  # it may be writing what is about to be forgotten
    _ = core.bits
    if not core.id:
        engine.register(core)
    data_end = _data_end(core, change, length)
    leaf_indices, leaf_records = pack_leaves(change.leaves, core.seed)
    node_indices, node_records = pack_nodes(change.nodes, core.seed)
    inline = [b"".join(run.data) for run in change.blocks]
    body = encode_change(
        core.id, change, leaf_indices, leaf_records, node_indices, node_records, inline
    )
    ticket = engine.append(body)
    # From here on the journal says that the log is cut: memory must follow, or the store stops.
    try:
        engine.sync_now()
        forget_beyond(core, length)
        cut_files(engine, core, length, data_end)
        core.place_blocks(change.blocks, in_place=False)
    except (OSError, StoreError) as error:
        raise engine.broken_by(error) from error
    if change.head is not None:
        core.head = change.head
    if change.manifest is not None:
        core.manifest = change.manifest
    core.leaves.update(zip(leaf_indices, leaf_records, strict=True))
    core.nodes.update(zip(node_indices, node_records, strict=True))
    for start, count in change.present:
        core.bits.set_range(start, count)
    for start, count in change.absent:
        core.bits.set_range(start, count, False)
    engine.changed(core, len(leaf_records) + len(node_records), False)
    return ticket


def _data_end(core: CoreBackend, change: Change, length: int) -> int | None:
    """Where the block bytes that stay end, when that is known."""
    if length == 0:
        return 0
    if change.head is not None and change.head.length == length:
        return change.head.byte_length
    for index, at_end in ((length, False), (length - 1, True)):
        leaf = core.known_leaf(index)
        if leaf is not None and leaf.offset >= 0:
            return leaf.offset + (leaf.size if at_end else 0)
    return None


def forget_beyond(core: CoreBackend, length: int) -> None:
    """Forget in memory every block, leaf and node at ``length`` or later, and the head if it is."""
    if core.head is not None and core.head.length > length:
        core.head = None
    core.leaves = {index: r for index, r in core.leaves.items() if index < length}
    core.nodes = {index: r for index, r in core.nodes.items() if not spans_beyond(index, length)}
    last = core.bits.last_set()
    if last >= length:
        core.bits.set_range(length, last + 1 - length, False)


def cut_files(engine: Engine, core: CoreBackend, length: int, data_end: int | None) -> None:
    """Forget the same in the log's files. Doing it again changes nothing. Raises OSError."""
    fd = engine.fd(core, LEAVES)
    if fd >= 0:
        _cut(fd, LEAVES_START + LEAF_BYTES * length)
    fd = engine.fd(core, NODES)
    if fd >= 0:
        _cut(fd, NODE_BYTES * length)
        for index in straddling_nodes(length):
            position = NODE_BYTES * (index >> 1)
            if os.pread(fd, NODE_BYTES, position).strip(b"\0"):
                os.pwrite(fd, NO_NODE, position)
    fd = engine.fd(core, DATA) if data_end is not None else -1
    if fd >= 0 and data_end is not None:
        _cut(fd, data_end)


def _cut(fd: int, size: int) -> None:
    if os.fstat(fd).st_size > size:
        os.ftruncate(fd, size)
