"""When to dial somebody again: soon after a connection that was good, ever later otherwise.

The steps are those of hyperswarm (wire notes 4.12), so that both kinds of peer press each other
equally little. After the last step only a new sign of life (`Backoff.renew`) brings a peer back,
unless somebody asked for that very peer.
"""

from __future__ import annotations

from collections.abc import Callable

GOOD = (1.0, 5.0, 15.0)
"""Seconds before each next dial of a peer that was reached before."""
UNKNOWN = (5.0, 15.0, 15.0)
"""The same for a peer that never answered."""
ASKED_FOR = 600.0
"""Seconds between dials of a peer that was asked for by its key, once the steps are used up."""
STEADY = 15.0
"""A connection that lasted so many seconds was good: its end begins the steps anew."""
JITTER = 0.25
"""Up to this share is added, so that peers that lost the same one do not come back as a herd."""


class Backoff:
    """The dials of one peer. Time is a parameter."""

    __slots__ = ("attempts", "proven", "_opened_at", "_renewed_at")

    def __init__(self) -> None:
        self.attempts = 0
        """Dials that failed, and connections that ended early, since the last good one."""
        self.proven = False
        """Whether it was reached since it was last heard of."""
        self._opened_at: float | None = None
        self._renewed_at = float("-inf")

    def opened(self, now: float) -> None:
        """A connection is open."""
        self.proven = True
        self._opened_at = now

    def ended(self, now: float) -> None:
        """The connection is gone, or the dial failed."""
        if self._opened_at is not None and now - self._opened_at >= STEADY:
            self.attempts = 0
        self._opened_at = None
        self.attempts += 1

    def renew(self, now: float) -> bool:
        """Somebody says that it is there: begin anew. False (nothing done) when said too often."""
        if self.attempts and now - self._renewed_at < STEADY:
            return False
        self._renewed_at = now
        self.attempts = 0
        return True

    def pause(self, random: Callable[[], float], *, asked_for: bool = False) -> float | None:
        """Seconds until the next dial; None when there is to be none."""
        if self.attempts == 0:
            return 0.0
        steps = GOOD if self.proven else UNKNOWN
        if self.attempts <= len(steps):
            base = steps[self.attempts - 1]
        elif asked_for:
            base = ASKED_FOR
        else:
            return None
        return base * (1 + JITTER * random())
