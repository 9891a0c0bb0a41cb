"""A reliable stream of bytes over UDP, wire-compatible with libudx: the state machine.

Theory of operation
-------------------
A stream has a number at each end; a packet names the one its receiver chose. Packets that carry
data or the end are numbered from 0, one by one; whoever receives one owes an ack, which says what
number comes next and which later ones are there (`Inbox`). `Sender` keeps what is not acked, finds
out what is lost, and decides how much may leave. This file joins the halves and knows the life of a
stream:

    made -> connected -> ended here and there -> closed -> gone

``made``: packets may already come in, if `admit` lets them; nothing leaves. ``closed``: nothing
more happens for the user, but for `LINGER` seconds late packets are answered, so that the other
side can close too. ``gone``: to be forgotten.

Use: `receive` whatever arrives, then `to_send` once for the whole batch (one ack answers it), then
`read` and `events`, and `on_deadline` when `deadline` has passed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from struct import Struct

from holdfast.udx.bursts import Addr, Burst, Packer
from holdfast.udx.events import Cause, Closed, Ended, Event, Message, RemoteChanged
from holdfast.udx.inbox import WINDOW, Inbox
from holdfast.udx.packet import (
    DATA,
    DESTROY,
    END,
    HEADER_BYTES,
    HEARTBEAT,
    MAGIC,
    MAX_SACKS,
    MESSAGE,
    SACK,
    VERSION,
    Buffer,
    Header,
    encode,
    encode_ranges,
    parse,
    ranges_of,
    unwrap,
)
from holdfast.udx.sender import IPV4_BYTES, MAX_WAIT, Sender

LINGER = 8.0
"""Seconds that a closed stream answers late packets: three timeouts (1, 2 and 4 s)."""
MAX_UNHEARD = 12
"""Heartbeats without an answer that a stream survives: a minute and a half when it has to write."""
MAX_MESSAGES = 256
"""Messages kept for a reader that does not look: they are unreliable anyway."""
MAX_MESSAGE = 1152
"""Bytes of a message: what fits the smallest path in one packet."""

_WORDS = Struct("<IIIII")
_PLAIN_DATA = MAGIC | VERSION << 8 | DATA << 16
_MASK = 0xFFFFFFFF
_NEVER = float("inf")


class Stream:
    """One end of a stream. ``now`` is in seconds, of any clock that never goes back."""

    def __init__(
        self,
        local_id: int,
        now: float,
        *,
        seq: int = 0,
        ack: int = 0,
        window: int = WINDOW,
        keep_alive: float = 0.0,
        ip_bytes: int = IPV4_BYTES,
        admit: Callable[[Addr], bool] | None = None,
    ) -> None:
        """``admit`` is asked about packets from elsewhere than the remote, also before `connect`;
        without it they are ignored. ``keep_alive`` seconds of silence send a heartbeat (0: never).
        """
        self.local_id = local_id
        self.remote_id = 0
        self.remote: Addr | None = None
        self.keep_alive = keep_alive
        self.sender = Sender(seq, now, ip_bytes)
        self.inbox = Inbox(ack, window)
        self.cause: Cause | None = None
        """Why it is closed, once it is."""
        self.gone = False
        """Closed, and nobody needs an answer any more."""
        self.ignored = 0
        """Packets from strangers, for other streams, or malformed."""
        self.heard = 0
        """Batches of packets that counted."""
        self._admit = admit
        self._previous: Addr | None = None
        self._change_at = -1
        self._events: list[Event] = []
        self._messages: deque[bytes] = deque(maxlen=MAX_MESSAGES)
        self._news: tuple[int, int, int] | None = None  # (ack, window, seq) of the newest packet
        self._ranges: list[tuple[int, int]] = []
        self._owes_ack = False
        self._beat = self._farewell = False
        self._unheard = 0  # heartbeats since the other side was heard
        self._beat_at = self._gone_at = _NEVER
        self._told_end = False
        self._offered = window  # the window that the other side knows of

    # -- facts ----------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether it knows where to send."""
        return self.remote is not None

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self.cause is not None

    @property
    def owes_ack(self) -> bool:
        """Whether the other side waits for a word from us: `to_send` has something."""
        return self._owes_ack

    # -- use ------------------------------------------------------------------------------------

    def connect(self, remote_id: int, addr: Addr, now: float) -> None:
        """Say where the other end is and what it calls the stream."""
        self.remote_id, self.remote = remote_id, addr
        self._keep_alive_from(now)

    def change_remote(self, remote_id: int, addr: Addr, now: float) -> None:
        """The other end is elsewhere now, or reached another way: `RemoteChanged` follows.

        What is still on its way from the old address counts until then.
        """
        if self.closed:
            return
        self._previous = self.remote
        self.remote_id, self.remote = remote_id, addr
        self._change_at = self.sender.flight.next_seq
        self._owes_ack = True  # it should see us on the new way even if we have nothing to say
        self.sender.hurry(now)

    def write(self, data: bytes) -> None:
        """Queue bytes; before `connect` they wait. After `end` or the close they are dropped."""
        if not self.sender.outbox.ending and not self.closed:
            self.sender.outbox.write(data)

    def end(self) -> None:
        """Nothing more will be written."""
        self.sender.outbox.ending = True

    def message(self, data: bytes) -> None:
        """Send at most `MAX_MESSAGE` bytes once; they may get lost or overtake others."""
        if len(data) > MAX_MESSAGE:
            raise ValueError(f"a message has at most {MAX_MESSAGE} bytes")
        self._messages.append(data)

    def destroy(self, now: float) -> None:
        """Give it up: the other side is told once, what was not acked is lost."""
        self._close(Cause.DESTROYED, now)

    def read(self) -> list[bytes]:
        """The bytes that have arrived in order; taking them opens the window again."""
        data = self.inbox.read()
        if self.inbox.window - self._offered >= self.inbox.limit // 4:
            self._owes_ack = True
        return data

    def events(self) -> list[Event]:
        """What has happened since the last call. Read first: `Ended` comes after all bytes."""
        events, self._events = self._events, []
        return events

    # -- what arrives ---------------------------------------------------------------------------

    def receive(self, data: Buffer, addr: Addr, now: float, segment: int = 0) -> None:
        """A datagram, or several of ``segment`` bytes each (the last may be shorter)."""
        if addr != self.remote and not self._admits(addr):
            self.ignored += 1
            return
        if self.closed:
            self._receive_late(data)
            return
        self._unheard = 0
        self.heard += 1
        view, size = memoryview(data), len(data)
        step = segment or size
        inbox, unpack = self.inbox, _WORDS.unpack_from
        run: list[memoryview] = []
        expected, at = inbox.expected, 0
        plain = not inbox.ended and not inbox.full
        while at < size:
            if plain and at + HEADER_BYTES < size:
                word, stream_id, window, seq, ack = unpack(view, at)
                if (
                    word == _PLAIN_DATA
                    and seq == expected & _MASK
                    and stream_id == self.local_id
                    and not inbox.seen
                ):
                    run.append(view[at + HEADER_BYTES : at + step])
                    expected += 1
                    at += step
                    continue
            if run:
                self._take_run(run)
                run = []
            if not self._receive_one(view[at : at + step], now):
                return
            expected, plain = inbox.expected, not inbox.ended and not inbox.full
            at += step
        if run:
            self._take_run(run)
            self._note(ack, window, seq)

    def _take_run(self, run: list[memoryview]) -> None:
        self.inbox.put(run)
        self._owes_ack = True

    def _receive_one(self, packet: memoryview, now: float) -> bool:
        """One packet of any kind; whether the stream goes on."""
        header = parse(packet)
        if header is None or header.stream_id != self.local_id:
            self.ignored += 1
            return True
        kind = header.kind
        if kind & HEARTBEAT:
            self._owes_ack = True
        if kind & (DATA | END):
            seq = unwrap(header.seq, self.inbox.expected)
            self.inbox.offer(seq, kind, packet[HEADER_BYTES + header.skip :])
            self._owes_ack = True
            self._tell_end()
        if kind & DESTROY:
            if unwrap(header.seq, self.inbox.expected) >= self.inbox.expected:
                self._close(Cause.RESET, now)
            return not self.closed
        if kind & MESSAGE and len(self._events) < MAX_MESSAGES:
            self._events.append(Message(bytes(packet[HEADER_BYTES + header.skip :])))
        if kind & SACK:
            self._ranges = ranges_of(header, packet)
        self._note(header.ack, header.window, header.seq)
        return True

    def _tell_end(self) -> None:
        if self.inbox.ended and not self._told_end:
            self._told_end = True
            self._events.append(Ended())

    def _note(self, ack: int, window: int, seq: int) -> None:
        """Keep the newest ack of the batch; `to_send` acts on it once."""
        flight = self.sender.flight
        whole = unwrap(ack, flight.una)
        if whole > flight.next_seq or whole < flight.una:
            return
        if self._news is None or whole >= self._news[0]:
            self._news = (whole, window, unwrap(seq, self.inbox.expected))

    def _admits(self, addr: Addr) -> bool:
        if addr == self._previous:
            return True
        return self._admit is not None and not self.closed and self._admit(addr)

    def _receive_late(self, data: Buffer) -> None:
        header = parse(data)
        if header is None or header.stream_id != self.local_id:
            return
        if header.kind & (DATA | END | HEARTBEAT):
            if self.cause is Cause.FINISHED:
                self._owes_ack = True
            elif self.cause is Cause.DESTROYED:
                self._farewell = True

    # -- what leaves ----------------------------------------------------------------------------

    def to_send(self, now: float) -> list[Burst]:
        """The datagrams that may leave now, in order."""
        self._digest(now)
        if self.sender.finished and self.inbox.ended:
            self._close(Cause.FINISHED, now)
        if self.remote is None:
            return []
        packer = Packer(self.remote)
        if self._farewell:
            self._farewell = False
            packer.add(self._header(DESTROY), b"")
        if self.closed:
            self._add_ack(packer)
            return packer.take()
        self._add_loose(packer)
        window = self.inbox.window
        head = (self.remote_id, window, self.inbox.expected)
        if self.sender.fill(head, packer, now):
            self._offered = window
            self._keep_alive_from(now)
            if not self.inbox.seen:
                self._owes_ack = False  # the data said it
        self._watch_window(now)
        self._add_ack(packer)
        return packer.take()

    def _add_loose(self, packer: Packer) -> None:
        while self._messages:
            packer.add(self._header(MESSAGE), self._messages.popleft())
        if self._beat:
            self._beat = False
            packer.add(self._header(HEARTBEAT), b"")

    def _add_ack(self, packer: Packer) -> None:
        if not self._owes_ack:
            return
        self._owes_ack = False
        self._offered = self.inbox.window
        if self.inbox.seen:
            ranges = encode_ranges(self.inbox.seen.some(MAX_SACKS))
            packer.add(self._header(SACK), ranges)
        else:
            packer.add(self._header(0), b"")

    def _header(self, kind: int) -> bytes:
        seq, ack = self.sender.flight.next_seq, self.inbox.expected
        return encode(Header(kind, 0, self.remote_id, self.inbox.window, seq, ack))

    def _digest(self, now: float) -> None:
        """Act on the acks of the batch."""
        if self._news is None or self.closed:
            return
        (ack, window, seq), self._news = self._news, None
        sender, flight = self.sender, self.sender.flight
        sender.on_window(window, seq, ack)
        ranges, self._ranges = self._ranges, []
        near = [(unwrap(start, ack), unwrap(end, ack)) for start, end in ranges]
        sender.on_ack(ack, near, now)
        if 0 <= self._change_at <= flight.una:
            self._change_at, self._previous = -1, None
            self._events.append(RemoteChanged())
        if flight.empty:
            self._keep_alive_from(now)

    # -- time -----------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When `on_deadline` is due, or None."""
        if self.closed:
            return None if self.gone else self._gone_at
        due = min(self.sender.deadline(), self._beat_at) if self.connected else _NEVER
        return None if due == _NEVER else due

    def on_deadline(self, now: float) -> None:
        """Something may be due; `to_send` follows."""
        if self.closed:
            self.gone = self.gone or now >= self._gone_at
            return
        if now >= self._beat_at:
            self._unheard += 1
            self._beat = True
            self._beat_at = now + self._beat_wait()
        sender = self.sender
        sender.on_deadline(now)
        if sender.dead or self._unheard > MAX_UNHEARD:
            # Once the other side has ended and only our end is not acked, it has probably left with
            # the ack that got lost; it has not if the network is down, so this takes as long.
            done = self.inbox.ended and sender.only_end_left
            self._close(Cause.FINISHED if done else Cause.TIMED_OUT, now)

    def _keep_alive_from(self, now: float) -> None:
        self._beat_at = now + self.keep_alive if self.keep_alive else _NEVER

    def _watch_window(self, now: float) -> None:
        """The other side has no room: ask until it has, in case its word about it gets lost."""
        if not self.sender.blocked:
            return
        wait = self._beat_wait()
        if self._beat_at > now + wait:
            self._beat_at = now + wait

    def _beat_wait(self) -> float:
        if self.sender.blocked:
            return min(MAX_WAIT, self.sender.flight.rtt.timeout * float(2**self._unheard))
        return self.keep_alive or _NEVER

    # -- the end --------------------------------------------------------------------------------

    def _close(self, cause: Cause, now: float) -> None:
        if self.closed:
            return
        self.cause = cause
        self.sender.outbox.forget()
        if cause is Cause.DESTROYED:
            self.inbox.forget()
        self._farewell = cause in (Cause.DESTROYED, Cause.TIMED_OUT)
        if cause is Cause.RESET:
            self._owes_ack = False
        self._gone_at = now if cause is Cause.RESET or not self.connected else now + LINGER
        self._events.append(Closed(cause))
