"""What the readers of a log are waiting for, and what has been asked of whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.hypercore.message_types import RequestHash
    from holdfast.hypercore.peer import Peer

BlockDone = Callable[["bytes | memoryview | None", "Exception | None"], None]
SeekDone = Callable[["tuple[int, int] | None", "Exception | None"], None]
RangeDone = Callable[["Exception | None"], None]
UpgradeDone = Callable[[bool], None]


class WantedBlock:
    """A block that somebody waits for, or that a range is fetching (then without waiters)."""

    __slots__ = ("index", "in_flight", "waiters", "queued")

    def __init__(self, index: int) -> None:
        self.index = index
        self.waiters: list[BlockDone] = []
        self.in_flight = 0
        self.queued = False


class WantedRange:
    """Blocks ``start`` to ``end`` (None: to the end of the log, for ever)."""

    __slots__ = ("start", "end", "done", "cursors", "remaining")

    def __init__(self, start: int, end: int | None, done: RangeDone) -> None:
        self.start = start
        self.end = end
        self.done = done
        self.cursors: dict[Peer, int] = {}
        self.remaining = 0


class WantedSeek:
    """The block that holds byte ``position``, ``padding`` bytes of each block not counted."""

    __slots__ = ("position", "padding", "done", "in_flight", "tried")

    def __init__(self, position: int, padding: int, done: SeekDone) -> None:
        self.position = position
        self.padding = padding
        self.done = done
        self.in_flight = 0
        self.tried: set[tuple[Peer, RequestHash]] = set()


class Sent:
    """One request on its way to one peer: what was asked, and when."""

    __slots__ = (
        "id",
        "fork",
        "block",
        "hash",
        "seek",
        "upgrade",
        "reorg",
        "at",
        "size",
        "optimistic",
    )

    def __init__(self, id: int, fork: int, at: float) -> None:
        self.id = id
        self.fork = fork
        self.at = at
        self.block = -1
        self.hash = -1
        self.seek: WantedSeek | None = None
        self.upgrade: tuple[int, int] | None = None
        self.reorg = False
        self.size = 0
        self.optimistic = False
        """Its proof ends at a node that an earlier answer is to bring."""
