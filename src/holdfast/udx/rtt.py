"""How long the way there and back takes, and how long to wait before sending again."""

from __future__ import annotations

MIN_RTO = 1.0
"""Seconds: RFC 6298 2.4; libudx has the same."""
MAX_RTO = 30.0
"""Seconds: six doublings from one second reach over a minute without network."""
MAX_SAMPLE = 5.0
"""Seconds: a sample above this and far outside the usual is a machine that slept."""
MIN_WINDOW = 300.0
"""Seconds for which the least round trip is believed: routes change."""


class RoundTrip:
    """Smoothed round-trip time, its variation (RFC 6298), and the least of the last minutes."""

    __slots__ = ("_least_at", "least", "smoothed", "variation")

    def __init__(self) -> None:
        self.smoothed = 0.0
        """Seconds; 0 before the first sample."""
        self.variation = 0.0
        """Mean deviation in seconds."""
        self.least = float("inf")
        """The shortest that was seen; infinite before the first sample."""
        self._least_at = 0.0

    def add(self, sample: float, now: float) -> None:
        """Take a sample of a packet that was sent once."""
        if sample <= self.least or now - self._least_at > MIN_WINDOW:
            self.least, self._least_at = sample, now
        if not self.smoothed:
            self.smoothed, self.variation = min(sample, MAX_RTO), sample / 2
            return
        if sample > MAX_SAMPLE and sample > self.usual:
            sample = min(self.usual, MAX_RTO)
        self.variation += (abs(sample - self.smoothed) - self.variation) / 4
        self.smoothed += (sample - self.smoothed) / 8

    @property
    def usual(self) -> float:
        """What no ordinary sample exceeds."""
        return self.smoothed + 5 * self.variation

    @property
    def timeout(self) -> float:
        """Seconds after which everything in flight counts as lost."""
        return min(MAX_RTO, max(MIN_RTO, self.smoothed + 4 * self.variation))
