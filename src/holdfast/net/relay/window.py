"""How much may be on its way through a relay: one window per direction, all from one pool.

A sender may send what its window allows; what the receiver has taken is given back to it. So the
bytes of a stream that a relay can be made to hold are bounded by its window, wherever they wait,
and a slow pair costs its own window and nobody else anything. Windows start small, grow while they
are used and the pool has room, and shrink again when it gets scarce.
"""

from __future__ import annotations

from holdfast.net.relay.wire import FIRST_WINDOW, MAX_WINDOW

_GROW_ABOVE = 4
"""Windows grow while more than this part (a quarter) of the pool would be left."""
_SHRINK_BELOW = 8
"""They shrink while less than this part (an eighth) is."""
_PASS_ON = 4
"""What was taken is passed on to the sender once it is this part of the window: few messages."""


class Pool:
    """The bytes that all windows of a relay may add up to."""

    __slots__ = ("taken", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0

    @property
    def free(self) -> int:
        """Bytes no window has."""
        return self.total - self.taken

    @property
    def scarce(self) -> bool:
        """Whether large windows should give back."""
        return self.free < self.total // _SHRINK_BELOW

    def may_grow(self, size: int) -> bool:
        """Whether so much can be taken and enough is left for new streams."""
        return self.free - size >= self.total // _GROW_ABOVE


class Window:
    """One direction of a stream. The pool must have had `FIRST_WINDOW` for it already."""

    __slots__ = ("_owed", "_pool", "credit", "on_way", "size")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.size = FIRST_WINDOW
        """What this direction has of the pool."""
        self.credit = FIRST_WINDOW
        """What the sender may still send."""
        self.on_way = 0
        """What it has sent and the receiver has not taken."""
        self._owed = 0

    def send(self, cost: int) -> bool:
        """The sender has sent so much; False when it was more than it may."""
        if cost > self.credit:
            return False
        self.credit -= cost
        self.on_way += cost
        return True

    def taken(self, cost: int) -> bool:
        """The receiver has taken so much; False when there was not so much on its way."""
        if cost > self.on_way:
            return False
        self.on_way -= cost
        self._owed += cost
        return True

    def grant(self) -> int:
        """What to let the sender send beyond its credit now; 0 while that is not worth a message.

        Nothing stalls for it: what is held back is less than the sender still has.
        """
        if not self.size or self._owed * _PASS_ON < self.size:
            return 0
        self._resize()
        granted, self._owed = self._owed, 0
        self.credit += granted
        return granted

    def _resize(self) -> None:
        pool = self._pool
        if pool.scarce:
            back = min(self.size - FIRST_WINDOW, self._owed)
            change = -max(back, 0)
        else:
            change = min(self.size, MAX_WINDOW - self.size)
            if not pool.may_grow(change):
                return
        pool.taken += change
        self.size += change
        self._owed += change

    def close(self) -> None:
        """Give everything back to the pool. Idempotent."""
        self._pool.taken -= self.size
        self.size = self.credit = self.on_way = self._owed = 0
