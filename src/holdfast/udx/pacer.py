"""Spreads packets over time: a bucket of bytes that fills at the pacing rate."""

from __future__ import annotations

SLACK = 0.004
"""Seconds of sending that may be caught up at once: timers of an event loop come late."""
LEAST_BURST = 10
"""Packets that may always leave together: the first window of a stream."""


class Pacer:
    """Says whether bytes may leave now, and when they may."""

    __slots__ = ("_filled_at", "_level")

    def __init__(self, now: float) -> None:
        self._level = float("inf")  # cut to a burst when first filled
        self._filled_at = now

    def ready(self, rate: float, mss: int, now: float) -> bool:
        """Whether something may leave now, at ``rate`` bytes per second."""
        limit = max(LEAST_BURST * mss, rate * SLACK)
        self._level = min(limit, self._level + (now - self._filled_at) * rate)
        self._filled_at = now
        return self._level > 0

    def take(self, size: int) -> None:
        """So many bytes leave."""
        self._level -= size

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may follow at once."""
        return self._level <= 0

    def due(self, rate: float) -> float:
        """When something may leave again."""
        return self._filled_at + max(0.0, -self._level) / rate + 1e-6
