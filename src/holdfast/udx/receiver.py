"""The receiving half of a stream: takes packets apart, and owes acks for them."""

from __future__ import annotations

from struct import Struct

from holdfast.udx.events import Ended, Event, Message
from holdfast.udx.flight import Flight
from holdfast.udx.inbox import Inbox
from holdfast.udx.news import Newest
from holdfast.udx.packet import (
    DATA,
    DESTROY,
    END,
    HEADER_BYTES,
    HEARTBEAT,
    MAGIC,
    MESSAGE,
    SACK,
    VERSION,
    Header,
    parse,
    ranges_of,
    unwrap,
)

MAX_EVENTS = 256
"""Messages kept for a reader that does not look: they are unreliable anyway."""
MAX_DESTROY_AHEAD = 1 << 16
"""How far beyond the expected number a `DESTROY` may be: more than any window has packets, and so
little of all numbers that somebody who forges addresses has to guess it."""

_WORDS = Struct("<IIIII")
_PLAIN_DATA = MAGIC | VERSION << 8 | DATA << 16
_MASK = 0xFFFFFFFF


class Receiver:
    """Everything from datagrams to bytes in order."""

    __slots__ = (
        "_flight", "_local_id", "_told_end", "destroyed", "events", "heard", "inbox", "malformed",
        "newest", "offered", "owes_ack",
    )  # fmt: skip

    def __init__(self, local_id: int, ack: int, window: int, flight: Flight) -> None:
        """``flight`` is what the other side's acks are about."""
        self.inbox = Inbox(ack, window)
        self.newest = Newest()
        self.events: list[Event] = []
        """What has happened, to be taken."""
        self.owes_ack = False
        """Whether the other side waits for a word from us."""
        self.offered = window
        """The window that the other side knows of."""
        self.destroyed = False
        """Whether the other side has given up."""
        self.heard = 0
        """Datagrams that counted; those in order count as one if they come together."""
        self.malformed = 0
        """Datagrams that are no packets of this stream."""
        self._flight = flight
        self._local_id = local_id
        self._told_end = False

    def receive(self, data: memoryview, step: int) -> None:
        """Datagrams of ``step`` bytes each; what follows a `DESTROY` does not count."""
        inbox, unpack, size = self.inbox, _WORDS.unpack_from, len(data)
        run: list[memoryview] = []
        expected, at = inbox.expected, 0
        plain = not (inbox.ended or inbox.full or inbox.seen)
        while at < size:
            if plain and at + HEADER_BYTES < size:  # the usual case: data, in order, nothing else
                word, stream_id, window, seq, ack = unpack(data, at)
                if word == _PLAIN_DATA and seq == expected & _MASK and stream_id == self._local_id:
                    run.append(data[at + HEADER_BYTES : at + step])
                    expected += 1
                    at += step
                    continue
            if run:
                self._take(run)
                run = []
            self._receive_one(data[at : at + step])
            if self.destroyed:
                return
            expected, plain = inbox.expected, not (inbox.ended or inbox.full or inbox.seen)
            at += step
        if run:
            self._take(run)
            self._note(ack, window, seq)

    def read(self) -> list[bytes]:
        """What has arrived in order; if that opens a window that was nearly closed, we say so."""
        data = self.inbox.read()
        if self.inbox.window - self.offered >= self.inbox.limit // 4:
            self.owes_ack = True
        return data

    def _take(self, run: list[memoryview]) -> None:
        self.inbox.put(run)
        self.heard += 1
        self.owes_ack = True

    def _receive_one(self, packet: memoryview) -> None:
        header = parse(packet)
        if header is None or header.stream_id != self._local_id:
            self.malformed += 1
            return
        self.heard += 1
        kind, inbox = header.kind, self.inbox
        if kind & HEARTBEAT:
            self.owes_ack = True
        if kind & (DATA | END):
            inbox.offer(unwrap(header.seq, inbox.expected), kind, _payload(header, packet))
            self.owes_ack = True
            if inbox.ended and not self._told_end:
                self._told_end = True
                self.events.append(Ended())
        if kind & DESTROY:
            ahead = unwrap(header.seq, inbox.expected) - inbox.expected
            self.destroyed = 0 <= ahead <= MAX_DESTROY_AHEAD
            return
        if kind & MESSAGE and len(self.events) < MAX_EVENTS:
            self.events.append(Message(bytes(_payload(header, packet))))
        if kind & SACK:
            self.newest.note_ranges(ranges_of(header, packet))
        self._note(header.ack, header.window, header.seq)

    def _note(self, ack: int, window: int, seq: int) -> None:
        flight = self._flight
        seq = unwrap(seq, self.inbox.expected)
        self.newest.note(ack, window, seq, flight.una, flight.next_seq)


def _payload(header: Header, packet: memoryview) -> memoryview:
    return packet[HEADER_BYTES + header.skip :]
