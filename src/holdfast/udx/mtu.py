"""How large a packet the path takes (datagram PLPMTUD, RFC 8899): found by sending larger ones.

A probe is an ordinary data packet with padding between header and payload. When it is acked,
packets may be that large; when it is lost, it is sent again without padding, and that is no sign of
congestion. A packet cannot be split once it has been sent (numbers count packets, and the other
side may hold the first copy): when the path shrinks under packets in flight, they are sent again
with leave to be fragmented.
"""

from __future__ import annotations

BASE = 1200
"""IP packet size that every path is taken to carry (RFC 8899 5.1.2, and libudx)."""
CEILING = 1500
"""Ethernet; receivers of libudx have buffers for little more."""
MAX_PADDING = 255
"""The field that says how much to skip has one byte."""
TRIES = 3
"""Losses of a probe of one size before the size counts as too large."""
DOUBT = 0.25
"""What such a loss counts when others were lost at the same time."""
CLOSE_ENOUGH = 16
"""Bytes between a good and a bad size at which the search ends."""
LARGE_LOST = 16
"""Packets larger than `BASE` lost in a row, with none arriving, that show a black hole."""
AGAIN_AFTER_HOLE = 30.0
"""Seconds after which we try again then: a network that was down looks the same."""
AGAIN_AFTER = 600.0
"""Seconds after which a path is searched anew (RFC 8899 5.1.1)."""


class PathMtu:
    """The search for one path. Sizes are of whole IP packets."""

    __slots__ = (
        "_again_at",
        "_bad",
        "_good_seen",
        "_large_lost",
        "_pending",
        "_tries",
        "ceiling",
        "size",
    )

    def __init__(self, ceiling: int = CEILING) -> None:
        self.ceiling = ceiling
        """The most that is tried."""
        self.restart()

    def restart(self) -> None:
        """Another path: begin at `BASE`."""
        self.size = BASE
        """The largest size known to arrive."""
        self._bad = self.ceiling + 1
        self._tries = 0.0
        self._pending = 0
        self._again_at = float("inf")
        self._good_seen = False
        self._large_lost = 0

    def next_probe(self, now: float) -> int:
        """The size to try now, or 0. Nothing is tried before the first ack, or twice at once."""
        if now >= self._again_at:
            self._again_at = float("inf")
            self._bad = self.ceiling + 1
        if self._pending or not self._good_seen or self._bad - self.size <= 1:
            return 0
        if self._bad > self.ceiling:
            return min(self.ceiling, self.size + MAX_PADDING)
        if self._bad - self.size <= CLOSE_ENOUGH:
            return 0
        return min((self.size + self._bad) // 2, self.size + MAX_PADDING)

    def sent(self, size: int) -> None:
        """A probe of this size is under way."""
        self._pending = size

    def arrived(self, largest: int) -> None:
        """Packets were acked, the largest of this size."""
        self._good_seen = True
        if largest > BASE:
            self._large_lost = 0

    def passed(self, probe: int) -> None:
        """A probe was acked."""
        self._pending, self._tries = 0, 0.0
        if self.size < probe < self._bad:
            self.size = probe

    def lost(self, probe: int, now: float, *, alone: bool = True) -> None:
        """A probe was lost; if not ``alone``, that may have had other reasons than its size."""
        if probe != self._pending:
            return
        self._pending = 0
        self._tries += 1 if alone else DOUBT
        if self._tries >= TRIES:
            self._tries = 0.0
            self._bad = min(self._bad, probe)
            self._again_at = now + AGAIN_AFTER

    def lost_large(self, count: int, now: float) -> None:
        """So many packets larger than `BASE` were lost; too many in a row: back to `BASE`."""
        self._large_lost += count
        if self._large_lost < LARGE_LOST:
            return
        self.black_hole(now)

    def black_hole(self, now: float) -> None:
        """Nothing larger than `BASE` arrives any more."""
        self._large_lost = 0
        if self.size > BASE:
            self._bad = min(self._bad, BASE + 1)
            self.size = BASE
            self._pending, self._tries = 0, 0.0
            self._again_at = now + AGAIN_AFTER_HOLE
