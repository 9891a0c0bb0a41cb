"""Leaves and interior nodes as the fixed-size records that lie in a log's files.

Each record ends in a CRC-32 that starts from a value made of the log and the index, so that a
record that belongs to another log or another place does not pass. All zero means: not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from zlib import crc32

from holdfast.hypercore.backend import Leaf
from holdfast.hypercore.tree import Node
from holdfast.storage.flips import differ_by_one_bit, mend_crc

LEAF_BYTES = 52
NODE_BYTES = 44
NO_LEAF = bytes(LEAF_BYTES)
NO_NODE = bytes(NODE_BYTES)

_LEAF = Struct("<QQ32s")
_NODE = Struct("<Q32s")
_CHECKED_LEAF = Struct("<QQ32sI").unpack
_CHECKED_NODE = Struct("<Q32sI").unpack
_MASK = 0xFFFFFFFF
_new = tuple.__new__


def log_seed(discovery_key: bytes) -> int:
    """Start of every record's CRC in one log."""
    return crc32(discovery_key)


def pack_leaves(leaves: Iterable[Leaf], seed: int) -> tuple[list[int], list[bytes]]:
    """Block indices and their records."""
    indices: list[int] = []
    records: list[bytes] = []
    pack, add = _LEAF.pack, records.append
    for index, size, digest, offset in leaves:
        content = pack(offset + 1, size, digest)
        add(content + crc32(content, seed ^ index & _MASK).to_bytes(4, "little"))
        indices.append(index)
    return indices, records


def pack_nodes(nodes: Iterable[Node], seed: int) -> tuple[list[int], list[bytes]]:
    """Flat-tree indices of interior nodes and their records."""
    indices: list[int] = []
    records: list[bytes] = []
    pack, add = _NODE.pack, records.append
    for index, size, digest in nodes:
        content = pack(size, digest)
        add(content + crc32(content, seed ^ index & _MASK).to_bytes(4, "little"))
        indices.append(index)
    return indices, records


def mend_record(index: int, record: bytes, seed: int) -> bytes | None:
    """A damaged record with the one bit put right that explains the damage, or None.

    The tree above it tells whether the guess was right: a CRC of 32 bits alone could be fooled.
    """
    content, check = record[:-4], int.from_bytes(record[-4:], "little")
    actual = crc32(content, seed ^ index & _MASK)
    if differ_by_one_bit(actual, check):
        return content + actual.to_bytes(4, "little")
    mended = mend_crc(content, actual ^ check)
    return None if mended is None else mended + record[-4:]


def unpack_leaf(index: int, record: bytes, seed: int) -> Leaf | None:
    """The leaf in an intact record; None when the check fails."""
    offset, size, digest, check = _CHECKED_LEAF(record)
    if crc32(record[:48], seed ^ index & _MASK) != check:
        return None
    return _new(Leaf, (index, size, digest, offset - 1))


def unpack_node(index: int, record: bytes, seed: int) -> Node | None:
    """The node in an intact record; None when the check fails."""
    size, digest, check = _CHECKED_NODE(record)
    if crc32(record[:40], seed ^ index & _MASK) != check:
        return None
    return _new(Node, (index, size, digest))
