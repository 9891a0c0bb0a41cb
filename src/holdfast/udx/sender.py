"""The sending half of a stream: what may leave when, and what to do when no ack comes."""

from __future__ import annotations

from struct import Struct

from holdfast.udx.bbr import Bbr
from holdfast.udx.bursts import Packer
from holdfast.udx.flight import Flight, Sent
from holdfast.udx.inbox import WINDOW
from holdfast.udx.mtu import BASE, PathMtu
from holdfast.udx.outbox import Outbox
from holdfast.udx.pacer import Pacer
from holdfast.udx.packet import DATA, END, HEADER_BYTES, MAGIC, VERSION
from holdfast.udx.rate import Moment
from holdfast.udx.rtt import RoundTrip
from holdfast.udx.silence import Silence

IPV4_BYTES, IPV6_BYTES = 20 + 8, 40 + 8
"""What IP and UDP put in front of our header."""

_HEAD = Struct("<BBBBIIII")
_MASK = 0xFFFFFFFF
_NEVER = float("inf")


class Sender:
    """Everything from written bytes to acked packets."""

    def __init__(self, seq: int, now: float, ip_bytes: int = IPV4_BYTES) -> None:
        self.outbox = Outbox()
        self.flight = Flight(seq, now)
        self.mtu = PathMtu()
        self.overhead = ip_bytes + HEADER_BYTES
        self.control = Bbr(self.mss, now)
        self.dead = False
        """Whether the other side has not answered for too long."""
        self.window = WINDOW
        """Bytes that the other side has room for; its first packet tells."""
        self.end_sent = False
        """Whether the end has a number."""
        self._window_of = (-1, -1)
        self._pacer = Pacer(now)
        self._silence = Silence(self.flight, now)
        self._recover_until = seq
        self._probe_tail = False
        self._look_at = self._pace_at = _NEVER

    # -- facts ----------------------------------------------------------------------------------

    @property
    def mss(self) -> int:
        """Payload bytes of a full packet."""
        return self.mtu.size - self.overhead

    @property
    def idle(self) -> bool:
        """Whether nothing is written and not acked."""
        return self.flight.empty and not self.outbox.size and not self._end_waits

    @property
    def blocked(self) -> bool:
        """Whether something waits and only the other side's window keeps it back."""
        waits = self.outbox.size or self._end_waits
        return bool(waits) and self.flight.empty and self.window == 0

    @property
    def finished(self) -> bool:
        """Whether everything, the end too, has been acked."""
        return self.end_sent and self.flight.empty

    @property
    def only_end_left(self) -> bool:
        """Whether nothing but the end is not acked."""
        last = self.flight.packets.get(self.flight.una)
        return last is not None and last.kind == END

    @property
    def _end_waits(self) -> bool:
        return self.outbox.ending and not self.end_sent

    @property
    def _recovering(self) -> bool:
        return self.flight.una < self._recover_until

    def deadline(self) -> float:
        """When `on_deadline` and then `fill` are due; infinite for never."""
        silence = self._silence
        return min(silence.resend_at, silence.tail_at, self._look_at, self._pace_at)

    # -- acks -----------------------------------------------------------------------------------

    def on_window(self, window: int, seq: int, ack: int) -> None:
        """A packet says how much room there is; older packets that come late do not count."""
        if (seq, ack) >= self._window_of:
            self._window_of = (seq, ack)
            self.window = window

    def on_ack(self, ack: int, ranges: list[tuple[int, int]], now: float) -> None:
        """The other side has everything below ``ack``, and ``ranges``."""
        flight = self.flight
        sample = flight.digest(ack, ranges, now)
        if sample is None:
            return
        self._silence.broken(now)
        self._heed_sizes(now)
        lost = self._detect(now)
        if flight.empty:
            self._look_at = _NEVER
        self._silence.arm(now, recovering=self._recovering)
        self.control.on_ack(
            sample._replace(lost=lost), flight.meter.delivered, flight.in_flight, now
        )

    def _heed_sizes(self, now: float) -> None:
        flight, mtu = self.flight, self.mtu
        mtu.arrived(flight.largest_arrived + self.overhead - HEADER_BYTES)
        for probe in flight.probes_arrived:
            mtu.passed(probe)
        flight.probes_arrived.clear()
        self.control.mss = self.mss

    def _detect(self, now: float) -> int:
        flight = self.flight
        before = len(flight.lost)
        lost, look_at = flight.detect(now, self._recovering)
        self._look_at = look_at if look_at is not None else _NEVER
        if lost and not self._recovering:
            self._recover_until = flight.next_seq
        if len(flight.lost) > before:
            self._heed_lost_probes(now, alone=not lost)
            if flight.largest_arrived <= self._base:
                fresh = (flight.lost[index] for index in range(before, len(flight.lost)))
                self.mtu.lost_large(sum([sent.size > self._base for sent in fresh]), now)
                self.control.mss = self.mss
        return lost

    def _heed_lost_probes(self, now: float, *, alone: bool) -> None:
        for probe in self.flight.probes_lost:
            self.mtu.lost(probe, now, alone=alone)
        self.flight.probes_lost.clear()

    @property
    def _base(self) -> int:
        """What a packet counts for that every path takes."""
        return BASE - self.overhead + HEADER_BYTES

    # -- timers ---------------------------------------------------------------------------------

    def on_deadline(self, now: float) -> None:
        """A timer may be due."""
        if now >= self._silence.resend_at:
            self._on_timeout(now)
        elif now >= self._silence.tail_at:
            self._silence.probed()
            self._probe_tail = True
        if now >= self._look_at:
            lost = self._detect(now)
            if lost:
                self.control.on_loss(lost)
        if now >= self._pace_at:
            self._pace_at = _NEVER

    def _on_timeout(self, now: float) -> None:
        flight, silence = self.flight, self._silence
        if not silence.timed_out(now):
            self.dead = True
            silence.stop()
            return
        flight.lose_all()
        self._heed_lost_probes(now, alone=False)
        if silence.timeouts > 1 and flight.packets[flight.una].size > self._base:
            self.mtu.black_hole(now)
            self.control.mss = self.mss
        self._recover_until = flight.next_seq
        self.control.on_timeout(0)
        silence.arm(now, recovering=True)

    def hurry(self, now: float) -> None:
        """The way has changed: what was lost on the old one is sent again at once."""
        if self._silence.timeouts and not self.flight.empty:
            self._silence.broken(now)
            self._silence.resend_at = now
        self.mtu.restart()
        self.control.mss = self.mss
        self.control = Bbr(self.mss, now)
        self.flight.rtt = RoundTrip()

    # -- leaving --------------------------------------------------------------------------------

    def fill(self, head: tuple[int, int, int], packer: Packer, now: float) -> bool:
        """Give ``packer`` what may leave now; ``head`` is (remote id, our window, our ack).

        Returns whether anything left.
        """
        flight = self.flight
        if flight.empty and not self.outbox.size and not self._end_waits:
            return False
        if flight.empty:
            self._silence.broken(now)
        moment = flight.meter.moment(now, flight.in_flight)
        if not flight.in_flight:
            self.control.on_idle_start(now)
        left = self._resend(head, packer, moment, now) + self._send_new(head, packer, moment, now)
        if self._probe_tail:
            self._probe_tail = False
            if not left:
                left = self._send_tail(head, packer, moment)
            self._silence.probed()
        if left and (self._silence.resend_at == _NEVER or not self._recovering):
            self._silence.arm(now, recovering=self._recovering)
        if not self.outbox.size and not flight.lost and flight.in_flight < self.control.cwnd:
            flight.meter.idle(flight.in_flight)
        return left > 0

    def _paced(self, now: float) -> bool:
        """Whether the pacer holds everything back."""
        if self._pacer.ready(self.control.pacing_rate, self.control.mss, now):
            self._pace_at = _NEVER
            return False
        self._pace_at = self._pacer.due(self.control.pacing_rate)
        return True

    def _resend(
        self, head: tuple[int, int, int], packer: Packer, moment: Moment, now: float
    ) -> int:
        flight, cwnd, count = self.flight, self.control.cwnd, 0
        while (sent := flight.next_lost()) is not None:
            if flight.in_flight + sent.size > cwnd or self._paced(now):
                break
            flight.lost.popleft()
            self._leave(sent, head, packer, moment)
            count += 1
        return count

    def _send_new(
        self, head: tuple[int, int, int], packer: Packer, moment: Moment, now: float
    ) -> int:
        flight, outbox, count = self.flight, self.outbox, 0
        room = min(self.control.cwnd - flight.in_flight, self.window - flight.outstanding)
        if flight.lost or not (outbox.size or self._end_waits) or self._paced(now):
            return 0
        size = self.mss + HEADER_BYTES
        while outbox.size or self._end_waits:
            if room < size and not (flight.empty and self.window > 0):
                break
            sent = self._next_packet(now)
            self._leave(sent, head, packer, moment)
            room -= sent.size
            count += 1
            if self._pacer.exhausted:
                self._paced(now)
                break
        return count

    def _next_packet(self, now: float) -> Sent:
        flight, outbox, mss = self.flight, self.outbox, self.mss
        payload = outbox.take(mss) if outbox.size else b""
        kind = DATA if payload else 0
        if outbox.ending and not outbox.size:
            kind |= END
            self.end_sent = True
        sent = flight.new(kind, payload)
        if len(payload) == mss:
            sent.probe = self.mtu.next_probe(now)
            if sent.probe:
                self.mtu.sent(sent.probe)
        return sent

    def _send_tail(self, head: tuple[int, int, int], packer: Packer, moment: Moment) -> int:
        """Something must leave, so that its ack tells what of the tail is lost."""
        flight = self.flight
        if self.outbox.size and flight.outstanding + self.mss <= self.window:
            sent: Sent | None = self._next_packet(moment.at)
        else:
            sent = flight.last()
        if sent is None:
            return 0
        self._leave(sent, head, packer, moment)
        return 1

    def _leave(
        self, sent: Sent, head: tuple[int, int, int], packer: Packer, moment: Moment
    ) -> None:
        flight = self.flight
        remote_id, window, ack = head
        padding = sent.probe and sent.probe - self.overhead - len(sent.payload)
        # Lost twice, perhaps because it is too large now: it cannot be cut, but the path may.
        split = sent.transmits > 1 and len(sent.payload) + self.overhead > BASE
        flight.left(sent, moment)
        self._pacer.take(sent.size)
        header = _HEAD.pack(
            MAGIC, VERSION, sent.kind, padding, remote_id, window, sent.seq & _MASK, ack & _MASK
        )
        packer.add(header, sent.payload, padding, split)
