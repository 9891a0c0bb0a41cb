"""What one journal record says: a change of a log, a log's entry, or a setting (docs/format.md).

Leaves and nodes travel as the very records that lie in the log's files later, so they are packed
once.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from holdfast.hypercore.backend import Change, Head
from holdfast.storage.records import LEAF_BYTES, NODE_BYTES

CHANGE = 1
CORE = 2
SETTING = 3

_HAS_HEAD = 1
_HAS_TRUNCATE = 2
_HAS_MANIFEST = 4
_IN_PLACE = 8
_OWN = 1
_FORGET = 1

_CHANGE = Struct("<BBIIIIII")  # kind, flags, log, leaves, nodes, runs, present, absent
_CORE = Struct("<BBI32s")  # kind, flags, log, key
_SETTING = Struct("<BBH")  # kind, flags, bytes of the name
_HEAD = Struct("<QQQI")  # fork, length, byte length, bytes of the signature
_NUMBER = Struct("<Q")
_RANGE = Struct("<QQ")
_RUN = Struct("<QQI")  # first block, byte offset, blocks
_SIZE = Struct("<I")


class Run(NamedTuple):
    """Consecutive blocks written by a change; ``data`` is None when their bytes lie in place."""

    start: int
    offset: int
    sizes: tuple[int, ...]
    data: bytes | None


@dataclass(slots=True)
class ChangeEntry:
    """A change as it is applied in memory."""

    core: int
    head: Head | None = None
    truncate: int | None = None
    manifest: bytes | None = None
    leaves: dict[int, bytes] = field(default_factory=dict)
    nodes: dict[int, bytes] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    present: list[tuple[int, int]] = field(default_factory=list)
    absent: list[tuple[int, int]] = field(default_factory=list)


class CoreEntry(NamedTuple):
    """A log gets a number; said again when it becomes our own."""

    core: int
    key: bytes
    own: bool


class SettingEntry(NamedTuple):
    """A setting gets a value, or with None is forgotten."""

    name: str
    value: bytes | None


Entry = ChangeEntry | CoreEntry | SettingEntry


def encode_change(
    core: int,
    change: Change,
    leaf_indices: list[int],
    leaf_records: list[bytes],
    node_indices: list[int],
    node_records: list[bytes],
    inline: list[bytes | memoryview] | None,
) -> bytes:
    """A change; ``inline`` has the bytes of each run, or is None when they lie in place."""
    flags = 0 if inline is not None else _IN_PLACE
    parts: list[bytes | memoryview] = [b""]
    if change.head is not None:
        flags |= _HAS_HEAD
        fork, length, byte_length, signature = change.head
        parts.append(_HEAD.pack(fork, length, byte_length, len(signature)))
        parts.append(signature)
    if change.truncate is not None:
        flags |= _HAS_TRUNCATE
        parts.append(_NUMBER.pack(change.truncate))
    if change.manifest is not None:
        flags |= _HAS_MANIFEST
        parts.append(_SIZE.pack(len(change.manifest)))
        parts.append(change.manifest)
    if leaf_indices:
        parts.append(struct.pack(f"<{len(leaf_indices)}Q", *leaf_indices))
        parts += leaf_records
    if node_indices:
        parts.append(struct.pack(f"<{len(node_indices)}Q", *node_indices))
        parts += node_records
    for start, count in change.present:
        parts.append(_RANGE.pack(start, count))
    for start, count in change.absent:
        parts.append(_RANGE.pack(start, count))
    for number, (start, offset, data) in enumerate(change.blocks):
        parts.append(_RUN.pack(start, offset, len(data)))
        parts.append(struct.pack(f"<{len(data)}I", *map(len, data)))
        if inline is not None:
            parts.append(inline[number])
    parts[0] = _CHANGE.pack(
        CHANGE,
        flags,
        core,
        len(leaf_indices),
        len(node_indices),
        len(change.blocks),
        len(change.present),
        len(change.absent),
    )
    return b"".join(parts)


def encode_core(core: int, key: bytes, own: bool) -> bytes:
    """A log's entry."""
    return _CORE.pack(CORE, _OWN if own else 0, core, key)


def encode_setting(name: str, value: bytes | None) -> bytes:
    """A setting; None forgets it."""
    text = name.encode()
    return (
        _SETTING.pack(SETTING, _FORGET if value is None else 0, len(text)) + text + (value or b"")
    )


def decode_entry(body: bytes) -> Entry:
    """The entry in the body of an intact record. ValueError when it makes no sense."""
    try:
        if body[0] == CHANGE:
            return _decode_change(body)
        if body[0] == CORE:
            _, flags, core, key = _CORE.unpack_from(body)
            return CoreEntry(core, key, bool(flags & _OWN))
        if body[0] == SETTING:
            _, flags, size = _SETTING.unpack_from(body)
            start = _SETTING.size
            value = None if flags & _FORGET else body[start + size :]
            return SettingEntry(body[start : start + size].decode(), value)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("a journal record is cut short") from error
    raise ValueError(f"a journal record of unknown kind {body[0]}")


class _Reader:
    """Walks a body; every step may raise struct.error."""

    def __init__(self, body: bytes, position: int) -> None:
        self._body = body
        self._position = position

    def take(self, layout: Struct) -> tuple[int, ...]:
        values = layout.unpack_from(self._body, self._position)
        self._position += layout.size
        return values

    def numbers(self, count: int, kind: str) -> tuple[int, ...]:
        return self.take(Struct(f"<{count}{kind}"))

    def piece(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._body):
            raise struct.error("cut short")
        piece = self._body[self._position : end]
        self._position = end
        return piece

    def records(self, count: int, size: int) -> dict[int, bytes]:
        if not count:
            return {}
        indices = self.numbers(count, "Q")
        data = self.piece(count * size)
        return {index: data[size * i : size * i + size] for i, index in enumerate(indices)}

    def ranges(self, count: int) -> list[tuple[int, int]]:
        numbers = self.numbers(2 * count, "Q")
        return list(zip(numbers[::2], numbers[1::2], strict=True))


def _decode_change(body: bytes) -> ChangeEntry:
    _, flags, core, leaves, nodes, runs, present, absent = _CHANGE.unpack_from(body)
    reader = _Reader(body, _CHANGE.size)
    entry = ChangeEntry(core)
    if flags & _HAS_HEAD:
        fork, length, byte_length, size = reader.take(_HEAD)
        entry.head = Head(fork, length, byte_length, reader.piece(size))
    if flags & _HAS_TRUNCATE:
        (entry.truncate,) = reader.take(_NUMBER)
    if flags & _HAS_MANIFEST:
        (size,) = reader.take(_SIZE)
        entry.manifest = reader.piece(size)
    entry.leaves = reader.records(leaves, LEAF_BYTES)
    entry.nodes = reader.records(nodes, NODE_BYTES)
    entry.present = reader.ranges(present)
    entry.absent = reader.ranges(absent)
    for _ in range(runs):
        start, offset, count = reader.take(_RUN)
        sizes = reader.numbers(count, "I")
        data = None if flags & _IN_PLACE else reader.piece(sum(sizes))
        entry.runs.append(Run(start, offset, sizes, data))
    return entry
