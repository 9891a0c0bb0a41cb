"""What a relay is willing to carry; each number says what it protects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Bounds on one relay."""

    clients: int = 512
    """Peers that may lean on it: as many as a node has connections."""
    streams_per_client: int = 64
    """Streams that one client takes part in: enough for a busy swarm, too few to take them all."""
    buffered: int = 64 * 1024 * 1024
    """Bytes on their way through it in all (two windows per stream): its memory."""
    topics_per_client: int = 256
    """Topics that one client may join: a few hundred drives."""
    topics: int = 16 * 1024
    """Topics in all, at some 300 bytes each."""
    peers_told: int = 64
    """Peers named to somebody who joins: the most a swarm connects to (hyperswarm's number too)."""
    rate: float | None = None
    """Bytes per second that one client may send through it; None: as fast as it goes."""
    idle: float = 120.0
    """Seconds without a byte after which a stream is closed: connections speak every five."""
    questions: int = 8
    """Lookups under way for one client: each costs some twenty packets to others."""
    stall: float = 60.0
    """Seconds that a client may take none of what it asked for before it is let go."""


class Throttle:
    """When a client may send more, if its rate is limited: what it sent is paid for in time."""

    __slots__ = ("_paid_until", "_rate")

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._paid_until = 0.0

    def delay(self, count: int, now: float) -> float:
        """Seconds to wait before ``count`` bytes that were sent may be followed by others."""
        if self._rate is None:
            return 0.0
        self._paid_until = max(self._paid_until, now) + count / self._rate
        return self._paid_until - now
