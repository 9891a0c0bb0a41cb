"""Packets that have arrived: in order for the reader, the others kept until the gaps are filled."""

from __future__ import annotations

from holdfast.udx.packet import DATA, END
from holdfast.udx.ranges import RangeSet

WINDOW = 4 * 1024 * 1024
"""Bytes that may wait for the reader: as much as libudx offers."""
MAX_AHEAD = 8192
"""Packets beyond the next expected number that are kept: twice a full window of small packets."""
COST = 128
"""Bytes that a kept packet costs beside its payload; tiny packets must not cost more than large."""


class Inbox:
    """The receiving half of a stream."""

    __slots__ = (
        "_ahead", "_ahead_bytes", "_ready", "ended", "expected", "limit", "seen", "waiting",
    )  # fmt: skip

    def __init__(self, seq: int, limit: int = WINDOW) -> None:
        self.expected = seq
        """The next number in order: the ack."""
        self.limit = limit
        """Bytes that may wait for the reader."""
        self.waiting = 0
        """Bytes in order that nobody has read."""
        self.ended = False
        """Whether the end is among what can be read."""
        self.seen = RangeSet()
        """Numbers that arrived early."""
        self._ahead: dict[int, tuple[int, bytes]] = {}
        self._ahead_bytes = 0
        self._ready: list[bytes] = []

    @property
    def window(self) -> int:
        """Bytes that the other side may have on its way."""
        return max(0, self.limit - self.waiting)

    @property
    def kept_bytes(self) -> int:
        """Bytes that arrived early, and what keeping them costs."""
        return self._ahead_bytes

    @property
    def full(self) -> bool:
        """Whether the other side has sent far more than it may.

        libudx does not count what has arrived out of order against the window.
        """
        return self.waiting > 2 * self.limit

    def put(self, run: list[memoryview]) -> None:
        """Packets in order, the first of which was expected."""
        self.expected += len(run)
        self._push(run[0].tobytes() if len(run) == 1 else b"".join(run))

    def offer(self, seq: int, kind: int, payload: memoryview) -> bool:
        """A packet with any number; False when it is of no use (old, known, or too far ahead)."""
        if seq < self.expected or self.ended or self.full or seq in self._ahead:
            return False
        if seq == self.expected:
            self._accept(kind, payload.tobytes())
            if self._ahead:
                self._close_gap()
            return True
        if seq - self.expected > MAX_AHEAD:
            return False
        if self._ahead_bytes + len(payload) + COST > self.limit + MAX_AHEAD * COST:
            return False
        self._ahead[seq] = (kind, payload.tobytes())
        self._ahead_bytes += len(payload) + COST
        self.seen.insert(seq, seq + 1)
        return True

    def read(self) -> list[bytes]:
        """Everything in order that was not read yet."""
        ready, self._ready = self._ready, []
        self.waiting = 0
        return ready

    def forget(self) -> None:
        """Drop everything: nobody will read."""
        self._ready, self._ahead = [], {}
        self.waiting = self._ahead_bytes = 0
        self.seen = RangeSet()

    def _accept(self, kind: int, payload: bytes) -> None:
        self.expected += 1
        if kind & DATA:
            self._push(payload)
        if kind & END:
            self.ended = True

    def _close_gap(self) -> None:
        ahead = self._ahead
        while not self.ended and (kept := ahead.pop(self.expected, None)) is not None:
            self._ahead_bytes -= len(kept[1]) + COST
            self._accept(*kept)
        self.seen.drop_below(self.expected)
        if self.ended:
            ahead.clear()
            self._ahead_bytes = 0

    def _push(self, data: bytes) -> None:
        if not data:
            return
        self.waiting += len(data)
        ready = self._ready
        if ready and len(data) < COST and len(ready[-1]) < 16 * COST:
            ready[-1] += data  # small pieces, one behind the other, cost more than they hold
        else:
            ready.append(data)
