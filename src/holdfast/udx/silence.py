"""When silence means loss: the tail is asked about first, then everything is sent again."""

from __future__ import annotations

from holdfast.udx.flight import Flight

MAX_TIMEOUTS = 6
"""Timeouts in a row that a stream survives (as in libudx)..."""
MAX_SILENCE = 90.0
"""... and seconds: a minute without network is survived too, which in libudx it is not."""
MAX_WAIT = 10.0
"""Seconds between two tries at the most, so that some tries follow such a minute."""
TAIL_MIN = 0.01
"""Seconds before the tail is probed, at the least: the other side's loop may be busy."""
FIRST_TAIL = 1.0
"""The same, before any round trip is known (RFC 8985 7.2)."""

_NEVER = float("inf")


class Silence:
    """Two timers over one flight."""

    __slots__ = ("_flight", "_probed", "_progress_at", "resend_at", "tail_at", "timeouts")

    def __init__(self, flight: Flight, now: float) -> None:
        self._flight = flight
        self._probed = -1
        self._progress_at = now
        self.timeouts = 0
        """Timeouts in a row."""
        self.resend_at = _NEVER
        """When everything in flight counts as lost."""
        self.tail_at = _NEVER
        """When the tail is to be probed."""

    def broken(self, now: float) -> None:
        """An ack has come, or something leaves after nothing was in flight."""
        self.timeouts = 0
        self._progress_at = now

    def probed(self) -> None:
        """The tail was probed: once is enough until something new is acked."""
        self._probed = self._flight.next_seq - 1
        self.tail_at = _NEVER

    def timed_out(self, now: float) -> bool:
        """Everything is lost, once more; whether it is to be sent again."""
        self.timeouts += 1
        return self.timeouts <= MAX_TIMEOUTS or now - self._progress_at <= MAX_SILENCE

    def stop(self) -> None:
        """Wait for nothing."""
        self.resend_at = self.tail_at = _NEVER

    def arm(self, now: float, *, recovering: bool) -> None:
        """Begin to wait, now that acks have come or packets left."""
        self.stop()
        flight = self._flight
        if flight.empty:
            return
        usual = flight.rtt.timeout
        self.resend_at = now + max(usual, min(MAX_WAIT, usual * 2**self.timeouts))
        if not recovering and not self.timeouts and self._probed < flight.una:
            smoothed = flight.rtt.smoothed
            self.tail_at = now + (max(TAIL_MIN, 2 * smoothed) if smoothed else FIRST_TAIL)
