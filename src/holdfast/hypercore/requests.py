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
    """The block that holds byte ``position`` (of a log whose blocks carry ``padding`` extra bytes each)."""

    __slots__ = ("position", "padding", "done", "in_flight", "tried")

    def __init__(self, position: int, padding: int, done: SeekDone) -> None:
        self.position = position
        self.padding = padding
        self.done = done
        self.in_flight = 0
        self.tried: set[tuple[Peer, RequestHash]] = set()


class Sent:
    """One request on its way: what was asked of which peer, and when."""

    __slots__ = (
        "id",
        "peer",
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

    def __init__(self, id: int, peer: Peer, fork: int, at: float) -> None:
        self.id = id
        self.peer = peer
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


class RequestWindow:
    """How many bytes may be on their way from one peer.

    Grows while a full window arrives quickly and shrinks when it takes long, so that a fast line is
    kept full and on a slow one a reader who jumps does not wait behind seconds of stale requests.
    """

    MIN = 128 * 1024
    START = 1024 * 1024
    MAX = 8 * 1024 * 1024
    QUICK = 0.1
    SLOW = 0.5
    MAX_REQUESTS = 512
    """JavaScript peers keep at most 512 requests of one reader busy."""

    __slots__ = ("limit", "pending", "requests", "_arrived", "_began")

    def __init__(self) -> None:
        self.limit = self.START
        self.pending = 0
        self.requests = 0
        self._arrived = 0
        self._began = 0.0

    @property
    def open(self) -> bool:
        """Whether one more request may leave."""
        return self.pending < self.limit and self.requests < self.MAX_REQUESTS

    def sent(self, size: int, now: float) -> None:
        """A request for about ``size`` bytes has left."""
        if self.requests == 0:
            self._began, self._arrived = now, 0
        self.pending += size
        self.requests += 1

    def answered(self, size: int, now: float) -> None:
        """A request of that size was answered or given up."""
        self.pending -= size
        self.requests -= 1
        self._arrived += size
        if self._arrived >= self.limit:
            took = now - self._began
            if took < self.QUICK:
                self.limit = min(self.limit * 2, self.MAX)
            elif took > self.SLOW:
                self.limit = max(self.limit // 2, self.MIN)
            self._arrived, self._began = 0, now
