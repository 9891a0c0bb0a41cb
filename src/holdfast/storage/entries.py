"""What one journal record says: a change of a log, a log's entry, or a setting (docs/format.md).

Leaves and nodes travel as the very records that lie in the log's files later, so they are packed
once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from holdfast.encoding import Buffer
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

_CHANGE = "<BBIIIIII"  # kind, flags, log, leaves, nodes, runs, present, absent; then numbers
_CHANGE_FIXED = Struct(_CHANGE)
_CORE = Struct("<BBI32s")  # kind, flags, log, key
_SETTING = Struct("<BBH")  # kind, flags, bytes of the name
_SMALL_CHANGES = [Struct(f"{_CHANGE}{count}Q") for count in range(64)]
"""One call packs all numbers of a change; to compile the layout each time would cost as much."""


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
    inline: Sequence[Buffer] | None,
) -> bytes:
    """A change; ``inline`` has the bytes of each run, or is None when they lie in place."""
    flags = 0 if inline is not None else _IN_PLACE
    numbers: list[int] = []
    parts: list[Buffer] = [b""]
    head = change.head
    if head is not None:
        flags |= _HAS_HEAD
        fork, length, byte_length, signature = head
        numbers = [fork, length, byte_length, len(signature)]
        parts.append(signature)
    if change.truncate is not None:
        flags |= _HAS_TRUNCATE
        numbers.append(change.truncate)
    if change.manifest is not None:
        flags |= _HAS_MANIFEST
        numbers.append(len(change.manifest))
        parts.append(change.manifest)
    numbers += leaf_indices
    numbers += node_indices
    for held in change.present:
        numbers += held
    for gone in change.absent:
        numbers += gone
    for start, offset, data in change.blocks:
        numbers += (start, offset, len(data))
        numbers += map(len, data)
    parts += leaf_records
    parts += node_records
    if inline is not None:
        parts += inline
    count = len(numbers)
    layout = _SMALL_CHANGES[count] if count < 64 else Struct(f"{_CHANGE}{count}Q")
    parts[0] = layout.pack(
        CHANGE,
        flags,
        core,
        len(leaf_indices),
        len(node_indices),
        len(change.blocks),
        len(change.present),
        len(change.absent),
        *numbers,
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

    def number(self) -> int:
        return self.numbers(1)[0]

    def numbers(self, count: int) -> tuple[int, ...]:
        end = self._position + 8 * count
        if end > len(self._body):
            raise struct.error("cut short")
        values = struct.unpack_from(f"<{count}Q", self._body, self._position)
        self._position = end
        return values

    def ranges(self, count: int) -> list[tuple[int, int]]:
        numbers = self.numbers(2 * count)
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def piece(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._body):
            raise struct.error("cut short")
        piece = self._body[self._position : end]
        self._position = end
        return piece

    def records(self, indices: tuple[int, ...], size: int) -> dict[int, bytes]:
        data = self.piece(len(indices) * size)
        return {index: data[size * i : size * i + size] for i, index in enumerate(indices)}


def _decode_change(body: bytes) -> ChangeEntry:
    """First all numbers, then all bytes, both in the same order."""
    _, flags, core, leaves, nodes, runs, present, absent = _CHANGE_FIXED.unpack_from(body)
    reader = _Reader(body, _CHANGE_FIXED.size)
    entry = ChangeEntry(core)
    head = reader.numbers(4) if flags & _HAS_HEAD else None
    if flags & _HAS_TRUNCATE:
        entry.truncate = reader.number()
    manifest = reader.number() if flags & _HAS_MANIFEST else None
    leaf_indices = reader.numbers(leaves)
    node_indices = reader.numbers(nodes)
    entry.present = reader.ranges(present)
    entry.absent = reader.ranges(absent)
    blocks = []
    for _ in range(runs):
        start, offset, count = reader.numbers(3)
        blocks.append((start, offset, reader.numbers(count)))

    if head is not None:
        fork, length, byte_length, size = head
        entry.head = Head(fork, length, byte_length, reader.piece(size))
    if manifest is not None:
        entry.manifest = reader.piece(manifest)
    entry.leaves = reader.records(leaf_indices, LEAF_BYTES)
    entry.nodes = reader.records(node_indices, NODE_BYTES)
    for start, offset, sizes in blocks:
        data = None if flags & _IN_PLACE else reader.piece(sum(sizes))
        entry.runs.append(Run(start, offset, sizes, data))
    return entry
