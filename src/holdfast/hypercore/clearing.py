"""Giving up blocks: on purpose, to free their space, or because their bytes turned out damaged.

The tree stays, so whatever was given up can be fetched and checked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.errors import DamagedError
from holdfast.hypercore.backend import Change
from holdfast.hypercore.tree_view import MissingNode, byte_offset

if TYPE_CHECKING:
    from holdfast.hypercore.log import Log


def clear(log: Log, start: int, end: int) -> int:
    """Forget the bytes of blocks ``start`` to ``end`` and free their space; returns bytes freed."""
    log.flush()
    end = min(end, log.local.length)
    if start >= end:
        return 0
    _drop(log, start, end)
    return _punch(log, start, end)


def forget(log: Log, index: int) -> None:
    """Stop claiming one block, so that it is fetched again. Its place on disk is kept."""
    if log.bitfield.get(index):
        _drop(log, index, index + 1)


def _drop(log: Log, start: int, end: int) -> None:
    log.backend.write(Change(absent=[(start, end - start)]), durable=True)
    log.drop(start, end - start)
    log.on_have(start, end - start, True)


def _punch(log: Log, start: int, end: int) -> int:
    """Free the space of an absent range, together with absent neighbours sharing its edges."""
    first = log.bitfield.last_set(start) + 1 if start else 0
    after = log.bitfield.first_set(end)
    lower = _offset_of(log, first)
    upper = _offset_of(log, after) if 0 <= after < log.local.length else log.local.byte_length
    if lower is None or upper is None:
        lower, upper = _offset_of(log, start), _end_of(log, end - 1)
    if lower is None or upper is None or upper <= lower:
        return 0
    return log.backend.punch(lower, upper - lower)


def _offset_of(log: Log, index: int) -> int | None:
    """Where a block lies; None when the nodes that would say so are not held or damaged."""
    try:
        leaf = log.backend.leaf(index)
        if leaf is not None and leaf.offset >= 0:
            return leaf.offset
        return byte_offset(log.local, 2 * index)
    except (DamagedError, MissingNode):
        return None


def _end_of(log: Log, index: int) -> int | None:
    node, offset = log.node(2 * index), _offset_of(log, index)
    return None if node is None or offset is None else offset + node.size
