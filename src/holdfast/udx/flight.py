"""Packets that have left and are not acked: which have arrived, which are lost (RACK, RFC 8985)."""

from __future__ import annotations

from collections import deque

from holdfast.udx.packet import HEADER_BYTES, Buffer
from holdfast.udx.ranges import RangeSet
from holdfast.udx.rate import Meter, Moment, Sample
from holdfast.udx.rtt import RoundTrip

MAX_PATIENCE = 8
"""Quarters of the least round trip that a packet may be overtaken by, once we were wrong."""


class Sent:
    """One packet, until it is acked."""

    __slots__ = ("done", "kind", "lost", "moment", "payload", "probe", "seq", "size", "transmits")

    def __init__(self, seq: int, kind: int, payload: Buffer) -> None:
        self.seq = seq
        self.kind = kind
        self.payload = payload
        self.size = len(payload) + HEADER_BYTES
        """Bytes that it counts for."""
        self.transmits = 0
        """How often it has left."""
        self.probe = 0
        """The packet size that it tries out, else 0."""
        self.lost = False
        """Waits to be sent again."""
        self.done = False
        """Has arrived."""
        self.moment: Moment
        """When it left last."""


class Flight:
    """What is on its way, oldest number first."""

    __slots__ = (
        "_newest", "_newest_rtt", "_order", "_overtaken_up_to", "_patience", "_reordering",
        "_sacked", "in_flight", "largest_arrived", "lost", "meter", "next_seq", "outstanding",
        "packets", "probes_arrived", "probes_lost", "retransmits", "rtt", "spurious", "una",
    )  # fmt: skip

    def __init__(self, seq: int, now: float) -> None:
        self.una = seq
        """The first number not acked."""
        self.next_seq = seq
        """The number that the next new packet gets."""
        self.packets: dict[int, Sent] = {}
        """Everything from `una` on."""
        self.lost: deque[Sent] = deque()
        """To be sent again; those that turn out to be `done` are to be skipped."""
        self.in_flight = 0
        """Bytes believed to be on their way."""
        self.outstanding = 0
        """Bytes from `una` on: what the other side's window has to hold."""
        self.rtt = RoundTrip()
        self.meter = Meter(now)
        self.retransmits = 0
        """Packets sent again."""
        self.spurious = 0
        """Packets sent again that had not been lost."""
        self.probes_arrived: list[int] = []
        """Sizes of acked probes, to be taken."""
        self.probes_lost: list[int] = []
        """Sizes of lost probes, to be taken."""
        self.largest_arrived = 0
        """Size of the largest packet in the last digest."""
        self._order: deque[Sent] = deque()  # as sent; those that are done fall out late
        self._sacked = RangeSet()
        self._newest: tuple[float, int] = (-1.0, -1)  # RACK: (left at, seq) of the newest arrival
        self._newest_rtt = 0.0
        self._reordering = False
        self._patience = 1
        self._overtaken_up_to = seq

    @property
    def empty(self) -> bool:
        """Whether everything has been acked."""
        return self.una == self.next_seq

    def new(self, kind: int, payload: Buffer) -> Sent:
        """A packet with the next number; `left` it must then be."""
        sent = Sent(self.next_seq, kind, payload)
        self.packets[self.next_seq] = sent
        self.next_seq += 1
        self.outstanding += sent.size
        return sent

    def left(self, sent: Sent, moment: Moment) -> None:
        """It leaves now, for the first time or again."""
        if sent.transmits:
            self.retransmits += 1
            if not sent.lost:  # a probe for the tail: only its newest copy counts
                self._order.remove(sent)
                self.in_flight -= sent.size
        sent.transmits += 1
        sent.lost = False
        sent.moment = moment
        self.in_flight += sent.size
        self._order.append(sent)

    def next_lost(self) -> Sent | None:
        """The next packet to send again."""
        lost = self.lost
        while lost:
            if not lost[0].done:
                return lost[0]
            lost.popleft()
        return None

    # -- acks -----------------------------------------------------------------------------------

    def digest(self, ack: int, ranges: list[tuple[int, int]], now: float) -> Sample | None:
        """Everything below ``ack`` and in ``ranges`` has arrived. None: this was known."""
        arrived: list[Sent] = []
        packets = self.packets
        for seq in range(self.una, ack):
            sent = packets.pop(seq)
            self.outstanding -= sent.size
            if not sent.done:
                arrived.append(sent)
        if ack > self.una:
            self.una = ack
            if self._sacked:
                self._sacked.drop_below(ack)
        for start, end in ranges:
            if self.una < end and start < end <= self.next_seq:
                for low, high in self._sacked.insert(max(start, self.una), end):
                    arrived += [packets[seq] for seq in range(low, high)]
        if not arrived:
            return None
        return self._arrivals(arrived, now)

    def _arrivals(self, arrived: list[Sent], now: float) -> Sample:
        acked = largest = 0
        newest: Moment | None = None
        fresh: Moment | None = None  # of the newest that was sent only once
        for sent in arrived:
            sent.done = True
            sent.payload = b""
            size = sent.size
            acked += size
            if size > largest:
                largest = size
            if not sent.lost:
                self.in_flight -= sent.size
            moment = sent.moment
            if sent.transmits > 1:
                self._judge_retransmit(sent, now)
            elif fresh is None or moment.at > fresh.at:
                fresh = moment
            if newest is None or moment.at >= newest.at:
                newest = moment
            if sent.probe:
                self.probes_arrived.append(sent.probe)
        self.largest_arrived = largest
        rtt = 0.0
        if fresh is not None:
            rtt = max(now - fresh.at, 1e-6)
            self.rtt.add(rtt, now)
        self._advance_rack(arrived, now)
        return self.meter.sample(newest, acked, 0, rtt, now)

    def _judge_retransmit(self, sent: Sent, now: float) -> None:
        """An answer sooner than any before was to the first copy: it was only late."""
        if now - sent.moment.at < self.rtt.least * 0.9:
            self.spurious += 1
            self._reordering = True
            self._patience = min(MAX_PATIENCE, self._patience + 1)

    def _advance_rack(self, arrived: list[Sent], now: float) -> None:
        for sent in arrived:
            at = sent.moment.at
            if sent.transmits > 1 and now - at < self.rtt.least:
                continue  # which copy this answers is unknown
            if (at, sent.seq) > self._newest:
                self._newest = (at, sent.seq)
                self._newest_rtt = now - at
            if sent.seq >= self._overtaken_up_to:
                self._overtaken_up_to = sent.seq + 1
            elif sent.transmits == 1:
                self._reordering = True

    # -- losses ---------------------------------------------------------------------------------

    def detect(self, now: float, recovering: bool) -> tuple[int, float | None]:
        """Mark as lost what left well before something that has arrived.

        Returns the bytes lost and when to look again.
        """
        order, (newest_at, newest_seq) = self._order, self._newest
        limit = now - self._newest_rtt - self._reordering_window(recovering)
        lost = 0
        while order:
            sent = order[0]
            if sent.done:
                order.popleft()
                continue
            at = sent.moment.at
            if at > newest_at or (at == newest_at and sent.seq > newest_seq):
                break
            if at > limit:
                return lost, at + (now - limit) + 1e-6
            order.popleft()
            lost += self._lose(sent)
        return lost, None

    def _reordering_window(self, recovering: bool) -> float:
        if not self._reordering and (recovering or len(self._sacked) or self.lost):
            return 0.0
        if self.rtt.least == float("inf"):
            return 0.0
        return min(self.rtt.smoothed, self._patience * self.rtt.least / 4)

    def lose_all(self) -> int:
        """Nothing comes back: everything in flight is lost, in the order of its numbers."""
        lost = sum([self._lose(sent) for sent in self._order if not sent.done])
        self._order.clear()
        self.lost = deque(sorted((s for s in self.lost if not s.done), key=_by_number))
        return lost

    def _lose(self, sent: Sent) -> int:
        sent.lost = True
        self.in_flight -= sent.size
        self.lost.append(sent)
        if sent.probe:
            self.probes_lost.append(sent.probe)
            sent.probe = 0
            return 0  # too large, perhaps: says nothing of congestion
        return sent.size

    def last(self) -> Sent | None:
        """The newest packet that may still be on its way: a probe for a lost tail."""
        sent = self.packets.get(self.next_seq - 1)
        return None if sent is None or sent.done or sent.lost else sent


def _by_number(sent: Sent) -> int:
    return sent.seq
