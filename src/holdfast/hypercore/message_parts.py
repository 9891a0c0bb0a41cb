"""What the replication messages are made of: pairs of numbers and lists of tree nodes.

Nearly every field of a message comes as a pair of numbers (id and fork, index and size, ...), and
a number takes 1, 3, 5 or 9 bytes depending on its first. One prepared `Struct` for each of the
sixteen combinations reads a pair, or a whole tree node, in one step: that makes these loops fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from struct import error as StructError

from holdfast.encoding.varint import MAX_UINT, decode_uint, encode_uint
from holdfast.errors import DecodeError
from holdfast.hypercore.tree import Node

MAX_NODES = 256
"""Nodes in one list. A tree of 2**53 blocks needs about 106 in the worst case (an upgrade)."""

_CLASS = bytes(0xFD) + b"\1\2\3"
"""By first byte of a number: which of the four widths it has."""
_LENGTH = (1, 3, 5, 9)
_FORMAT = ("B", "xH", "xI", "xQ")
_FORMATS = [first + second for first in _FORMAT for second in _FORMAT]
_PAIR = [(pair.unpack_from, pair.size) for pair in map(Struct, (f"<{f}" for f in _FORMATS))]
_NODE = [(node.unpack_from, node.size) for node in map(Struct, (f"<{f}32s" for f in _FORMATS))]
_SMALLEST_NODE = _NODE[0][1]

_new = tuple.__new__


def cut_short() -> DecodeError:
    """The error for a message that ends before it should."""
    return DecodeError("A message from the other side is cut short.")


def too_large() -> DecodeError:
    """The error for a number that peers cannot hold."""
    return DecodeError("A message from the other side contains a number above 2**53 - 1.")


def decode_pair(view: bytes | memoryview, position: int) -> tuple[int, int, int]:
    """Two numbers and the position after them; raises `DecodeError`."""
    try:
        first = _CLASS[view[position]]
        width = first << 2 | _CLASS[view[position + _LENGTH[first]]]
        unpack, size = _PAIR[width]
        one, two = unpack(view, position)
    except (IndexError, StructError):
        raise cut_short() from None
    if one > MAX_UINT or two > MAX_UINT:
        raise too_large()
    return one, two, position + size


def encode_nodes(nodes: Sequence[Node]) -> bytes:
    """A list of nodes: count, then index, size and hash of each (hypercore.md 4.3)."""
    if not nodes:
        return b"\0"
    parts = [encode_uint(len(nodes))]
    for index, size, digest in nodes:
        parts += (encode_uint(index), encode_uint(size), digest)
    return b"".join(parts)


def decode_nodes(
    view: bytes | memoryview, position: int, limit: int = MAX_NODES
) -> tuple[list[Node], int]:
    """A list of at most ``limit`` nodes and the position after it; raises `DecodeError`."""
    count, position = decode_uint(view, position)
    if count > limit:
        raise DecodeError(f"A proof of {count} tree nodes is longer than any tree is high.")
    if count * _SMALLEST_NODE > len(view) - position:
        raise cut_short()
    nodes: list[Node] = []
    try:
        while count:
            first = _CLASS[view[position]]
            width = first << 2 | _CLASS[view[position + _LENGTH[first]]]
            unpack, size = _NODE[width]
            node = _new(Node, unpack(view, position))
            if width >= 3 and (node[0] > MAX_UINT or node[1] > MAX_UINT):
                raise too_large()
            nodes.append(node)
            position += size
            count -= 1
    except (IndexError, StructError):
        raise cut_short() from None
    return nodes, position
