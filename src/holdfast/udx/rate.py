"""How fast the path delivers: one sample per ack, as BBR's delivery-rate draft says."""

from __future__ import annotations

from typing import NamedTuple


class Moment:
    """The state of a flight when some packets left; they share it."""

    __slots__ = ("app_limited", "at", "delivered", "delivered_at", "first_at")

    def __init__(
        self, at: float, delivered: int, delivered_at: float, first_at: float, app_limited: bool
    ) -> None:
        self.at = at
        """When they left."""
        self.delivered = delivered
        """Bytes that had been delivered by then."""
        self.delivered_at = delivered_at
        """When the last of those was."""
        self.first_at = first_at
        """When the first packet of the sampling window had left."""
        self.app_limited = app_limited
        """Whether the sender had nothing more to send: the sample shows less than the path can."""


class Sample(NamedTuple):
    """What one digest of acks shows."""

    acked: int
    """Bytes newly delivered."""
    lost: int
    """Bytes newly found lost."""
    rtt: float
    """Seconds of the newest round trip; 0 when nothing tells."""
    rate: float
    """Bytes per second; 0 when nothing tells."""
    prior_delivered: int
    """Bytes that had been delivered when the newest acked packet left."""
    app_limited: bool
    """Whether ``rate`` may be less than the path can."""


class Meter:
    """Counts what is delivered, and makes samples of it."""

    __slots__ = ("_app_limited_until", "_first_at", "delivered", "delivered_at")

    def __init__(self, now: float) -> None:
        self.delivered = 0
        """Bytes delivered in all."""
        self.delivered_at = now
        """When the last of them was acked."""
        self._first_at = now
        self._app_limited_until = 0

    def moment(self, now: float, in_flight: int) -> Moment:
        """For packets that leave now."""
        if not in_flight:  # a new window: the idle time before is not the path's
            self._first_at = self.delivered_at = now
        limited = self._app_limited_until > self.delivered
        return Moment(now, self.delivered, self.delivered_at, self._first_at, limited)

    def idle(self, in_flight: int) -> None:
        """The application has nothing more to send although there is room."""
        self._app_limited_until = self.delivered + max(in_flight, 1)

    def sample(
        self, newest: Moment | None, acked: int, lost: int, rtt: float, now: float
    ) -> Sample:
        """After ``acked`` bytes were delivered, the newest of which left at ``newest``."""
        if newest is None:
            return Sample(0, lost, 0.0, 0.0, self.delivered, True)
        self.delivered += acked
        self.delivered_at = now
        self._first_at = newest.at
        interval = max(newest.at - newest.first_at, now - newest.delivered_at)
        rate = (self.delivered - newest.delivered) / interval if interval > 0 else 0.0
        return Sample(acked, lost, rtt, rate, newest.delivered, newest.app_limited)
