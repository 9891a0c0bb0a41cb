"""How much may be on its way from one peer: enough to fill its line, no more than that."""

from __future__ import annotations


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
