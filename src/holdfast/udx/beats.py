"""Heartbeats: they keep a quiet stream alive, and ask a full reader whether it has room again."""

from __future__ import annotations

MAX_WAIT = 10.0
"""Seconds between two questions at the most: an answer that got lost costs no more."""
MAX_UNHEARD = 12
"""Questions without an answer that a stream survives: a minute and a half when it has to write."""

_NEVER = float("inf")


class Beats:
    """When to ask for a sign of life."""

    __slots__ = ("_every", "_unheard", "at", "due")

    def __init__(self, every: float) -> None:
        """``every`` so many seconds of silence of our own; 0: only when somebody waits."""
        self._every = every or _NEVER
        self._unheard = 0
        self.at = _NEVER
        """When the next one is due."""
        self.due = False
        """Whether one has to be sent."""

    @property
    def dead(self) -> bool:
        """Whether too many were not answered."""
        return self._unheard > MAX_UNHEARD

    def heard(self) -> None:
        """The other side lives."""
        self._unheard = 0

    def sent(self, now: float) -> None:
        """Something left that the other side answers."""
        self.at = now + self._every

    def wait(self, now: float, timeout: float) -> None:
        """Something waits for the other side's window: ask sooner, and ever more rarely."""
        self.at = min(self.at, now + min(MAX_WAIT, timeout * 2**self._unheard))

    def on_deadline(self, now: float) -> None:
        """See whether one is due."""
        if now >= self.at:
            self.due = True
            self._unheard += 1
            self.at = now + self._every
