"""What one log asks of whatever keeps its bytes.

The log decides *what* is true; a backend decides *where* it lies and when it is durable. The
directory on disk and its memory twin (package ``storage``) implement `Backend`; one contract suite
tests both.

A `Change` is atomic: after a crash either all of it is there or none of it. Changes of one log are
applied in the order they were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from holdfast.hypercore.tree import Node


class Head(NamedTuple):
    """The signed end of a log."""

    fork: int
    length: int
    byte_length: int
    signature: bytes


class Leaf(NamedTuple):
    """Tree node of one block, with the byte offset of the block when it is known (else -1)."""

    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody calls
    """Block index (not the flat-tree index)."""
    size: int
    hash: bytes
    offset: int


class BlockWrite(NamedTuple):
    """Bytes of consecutive blocks, lying end to end from byte ``offset`` of the log."""

    start: int
    offset: int
    data: list[bytes | memoryview]


@dataclass(slots=True)
class Change:
    """One atomic step of a log."""

    head: Head | None = None
    leaves: list[Leaf] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    """Interior nodes only (odd flat-tree indices)."""
    blocks: list[BlockWrite] = field(default_factory=list)
    present: list[tuple[int, int]] = field(default_factory=list)
    """Block ranges ``(start, count)`` now held. Every block written is also listed here."""
    absent: list[tuple[int, int]] = field(default_factory=list)
    """Block ranges ``(start, count)`` no longer held; ``Backend.punch`` frees their disk space."""
    truncate: int | None = None
    """New length: every block, leaf and node beyond it is forgotten before the rest is applied."""
    manifest: bytes | None = None
    """Encoded manifest, once learnt."""


class Backend(Protocol):
    """The bytes of one log. All calls are synchronous and may touch the disk, not wait for it.

    Reads see every change written before, synced or not. Reads check what they read: a record whose
    checksum fails raises `DamagedError` (never a wrong value); block bytes are checked by the log
    against the leaf hash.
    """

    @property
    def head(self) -> Head | None:
        """The signed end last written, or None for a log that is still empty."""

    @property
    def manifest(self) -> bytes | None:
        """The encoded manifest, once one was written."""

    def leaf(self, index: int) -> Leaf | None:
        """The leaf of a block, or None when it is not known."""

    def node(self, index: int) -> Node | None:
        """Node at a flat-tree index (even ones come from leaves), or None when it is not known."""

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes of block data at byte ``offset``; short when the file ends before."""

    def has(self, index: int) -> bool:
        """Whether a block was last written as present."""

    def present_ranges(self) -> list[tuple[int, int]]:
        """Held block ranges ``(start, count)``, ascending; asked once when the log is opened."""

    def write(self, change: Change, *, durable: bool) -> int:
        """Apply a change and hand it to the operating system: it outlives the death of the process.

        Returns its ticket: a number that grows with each write of the whole store. ``durable=True``
        says that somebody will wait for it (the store may then order its writes for one sync).
        Raises `DiskFullError` (nothing of the change is applied) and `DamagedError`.
        """

    def punch(self, offset: int, size: int) -> int:
        """Give the disk space of a byte range back; returns the bytes of allocated space freed."""

    def close(self) -> None:
        """Let go of what is open for this log alone. Nothing is lost by it."""
