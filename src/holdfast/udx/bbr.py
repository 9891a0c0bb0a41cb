"""How much may be in flight, and how fast it may leave: BBR, version 1, in bytes and seconds.

The path is modelled by two numbers: the most it has delivered per second in the last ten round
trips, and the shortest round trip of the last ten seconds; what is sent is a gain times these. Loss
by itself is no sign of congestion: that keeps radio links usable. Unlike the original, loss beyond
what such a link has ends the start-up.

Two loops that wake up every millisecond or so take longer to answer than a short path does; the
model counts that time (`QUANTUM`) as part of the path, and less of it when packets are lost: the
buffer of the receiver's socket may be small.
"""

from __future__ import annotations

from collections import deque

from holdfast.udx.rate import Sample

HIGH_GAIN = 2.885
"""2/ln 2: doubles the rate every round trip."""
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Gains of the eight phases of steady state: look for more, give back, cruise."""
CWND_GAIN = 2.0
"""In flight at most this many times the path's own content: acks come late and in clumps."""
RATE_ROUNDS = 10
"""Round trips for which the highest rate is believed."""
RTT_WINDOW = 10.0
"""Seconds for which the shortest round trip is believed; then the pipe is emptied to look again."""
PROBE_RTT_TIME = 0.2
"""Seconds with the pipe nearly empty."""
FULL_GROWTH, FULL_ROUNDS = 1.25, 3
"""The pipe is full when the rate has not grown by a quarter in three round trips."""
HEAVY_LOSS = 0.3
"""Share of a round trip's bytes above which loss is congestion: a bad radio link loses a fifth."""
QUANTUM = 0.002
"""Seconds in which two busy event loops answer each other."""
LEAST_QUANTUM = 0.0001
"""Seconds that are left of it after many losses."""
LOSS_SEEN = 0.02
"""Share of a round trip's bytes that shows a short path to be overrun."""
INITIAL, MINIMAL = 10, 4
"""Packets in flight at the start, and at the least."""
MAX_CWND = 16 * 1024 * 1024
"""Bytes; four receive windows of libudx."""


class Bbr:
    """The model of one path."""

    __slots__ = (
        "_cycle", "_cycle_at", "_full_rate", "_full_rounds", "_next_round", "_probe_done",
        "_quantum", "_rates", "_round", "_round_acked", "_round_lost", "_rtt_at", "_saved_cwnd",
        "cwnd", "gain", "min_rtt", "mss", "pacing_rate", "state",
    )  # fmt: skip

    def __init__(self, mss: int, now: float) -> None:
        self.mss = mss
        """Payload bytes of a full packet."""
        self.state = "startup"
        """``startup``, ``drain``, ``probe_bw`` or ``probe_rtt``."""
        self.cwnd = INITIAL * mss
        """Bytes that may be in flight."""
        self.gain = HIGH_GAIN
        """How much faster than the model we send."""
        self.min_rtt = float("inf")
        """Seconds."""
        self.pacing_rate = HIGH_GAIN * INITIAL * mss / QUANTUM
        """Bytes per second."""
        self._rtt_at = now
        self._rates: deque[tuple[int, float]] = deque()  # (round, rate), rates falling
        self._round = 0
        self._next_round = 0
        self._round_acked = self._round_lost = 0
        self._full_rate, self._full_rounds = 0.0, 0
        self._cycle, self._cycle_at = 0, now
        self._probe_done = 0.0
        self._saved_cwnd = 0
        self._quantum = QUANTUM

    @property
    def rate(self) -> float:
        """Bytes per second that the path is believed to carry; 0 before the first sample."""
        return self._rates[0][1] if self._rates else 0.0

    def on_ack(self, sample: Sample, delivered: int, in_flight: int, now: float) -> None:
        """Learn from a digest of acks, after which ``delivered`` bytes have arrived in all."""
        round_start = sample.prior_delivered >= self._next_round
        self._round_acked += sample.acked
        self._round_lost += sample.lost
        if round_start:
            self._next_round = delivered
            self._round += 1
            self._heed_loss()
        self._learn_rate(sample)
        if self.state == "startup":
            self._check_full(sample, round_start)
        if self.state == "drain" and in_flight <= self._target(1.0):
            self._enter_probe_bw(now)
        elif self.state == "probe_bw":
            self._next_phase(sample, in_flight, now)
        self._learn_rtt(sample, in_flight, now)
        self._set_window(sample)
        self._set_pacing()

    def on_loss(self, lost: int) -> None:
        """Bytes were found lost without an ack."""
        self._round_lost += lost

    def on_timeout(self, in_flight: int) -> None:
        """Everything in flight is lost: begin with little, and grow back once acks come."""
        self._saved_cwnd = max(self._saved_cwnd, self.cwnd)
        self.cwnd = max(in_flight, MINIMAL * self.mss)

    def on_idle_start(self, now: float) -> None:
        """Something leaves after nothing was in flight."""
        if self.state == "probe_bw":
            self._cycle, self._cycle_at, self.gain = 2, now, 1.0
            self._set_pacing()

    # -- the model ------------------------------------------------------------------------------

    def _learn_rate(self, sample: Sample) -> None:
        rates, rate = self._rates, sample.rate
        while len(rates) > 1 and rates[0][0] < self._round - RATE_ROUNDS:
            rates.popleft()
        if rate <= 0 or (sample.app_limited and rate < self.rate):
            return
        if rates and rates[0][0] < self._round - RATE_ROUNDS:
            rates.popleft()
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((self._round, rate))

    def _heed_loss(self) -> None:
        total = self._round_acked + self._round_lost
        if total > 8 * self.mss:
            if self._round_lost > HEAVY_LOSS * total and self.state == "startup":
                self._fill()
            if self._round_lost > LOSS_SEEN * total:
                self._quantum = max(LEAST_QUANTUM, self._quantum * 0.7)
            else:
                self._quantum = min(QUANTUM, self._quantum * 1.05)
        self._round_acked = self._round_lost = 0

    def _check_full(self, sample: Sample, round_start: bool) -> None:
        if not round_start or sample.app_limited:
            return
        if self.rate >= self._full_rate * FULL_GROWTH:
            self._full_rate, self._full_rounds = self.rate, 0
            return
        self._full_rounds += 1
        if self._full_rounds >= FULL_ROUNDS:
            self._fill()

    def _fill(self) -> None:
        """The pipe is full: let go what start-up has queued."""
        self._full_rounds = FULL_ROUNDS
        self.state, self.gain = "drain", 1 / HIGH_GAIN

    def _enter_probe_bw(self, now: float) -> None:
        self.state = "probe_bw"
        self._cycle, self._cycle_at, self.gain = 2, now, CYCLE[2]

    def _next_phase(self, sample: Sample, in_flight: int, now: float) -> None:
        long_enough = now - self._cycle_at > self._path_time
        if self.gain > 1:
            due = long_enough and (sample.lost > 0 or in_flight >= self._target(self.gain))
        elif self.gain < 1:
            due = long_enough or in_flight <= self._target(1.0)
        else:
            due = long_enough
        if due:
            self._cycle = (self._cycle + 1) % len(CYCLE)
            self._cycle_at, self.gain = now, CYCLE[self._cycle]

    def _learn_rtt(self, sample: Sample, in_flight: int, now: float) -> None:
        expired = now - self._rtt_at > RTT_WINDOW
        if sample.rtt > 0 and (sample.rtt <= self.min_rtt or expired):
            if self.min_rtt == float("inf"):
                self.pacing_rate = HIGH_GAIN * self.cwnd / max(sample.rtt, QUANTUM)
            self.min_rtt, self._rtt_at = sample.rtt, now
        if expired and self.state == "probe_bw" and self.min_rtt > QUANTUM:
            self.state, self.gain = "probe_rtt", 1.0
            self._saved_cwnd = self.cwnd
            self._probe_done = 0.0
        if self.state == "probe_rtt":
            if not self._probe_done and in_flight <= MINIMAL * self.mss:
                self._probe_done = now + PROBE_RTT_TIME
            elif self._probe_done and now > self._probe_done:
                self._rtt_at = now
                self.cwnd = max(self.cwnd, self._saved_cwnd)
                self._saved_cwnd = 0
                self._enter_probe_bw(now)

    # -- what follows from it -------------------------------------------------------------------

    @property
    def _path_time(self) -> float:
        return max(self.min_rtt, self._quantum) if self._rates else QUANTUM

    def _target(self, gain: float) -> int:
        """Bytes in flight that are ``gain`` times the path's own content."""
        if not self._rates or self.min_rtt == float("inf"):
            return INITIAL * self.mss
        return int(gain * self.rate * self._path_time) + 3 * self.mss

    def _set_window(self, sample: Sample) -> None:
        if self.state == "probe_rtt":
            self.cwnd = MINIMAL * self.mss
            return
        full = self._full_rounds >= FULL_ROUNDS
        target = self._target(CWND_GAIN if full else HIGH_GAIN)
        grown = self.cwnd + sample.acked
        if self._saved_cwnd and sample.acked:  # the path is back after a timeout
            grown = max(grown, min(self._saved_cwnd, target))
            self._saved_cwnd = 0
        if full:
            self.cwnd = min(grown, target)
        elif self.cwnd < target or self.rate == 0:
            self.cwnd = grown
        self.cwnd = min(MAX_CWND, max(self.cwnd, MINIMAL * self.mss))

    def _set_pacing(self) -> None:
        rate = self.gain * self.rate
        if rate > 0 and (self._full_rounds >= FULL_ROUNDS or rate > self.pacing_rate):
            self.pacing_rate = rate
