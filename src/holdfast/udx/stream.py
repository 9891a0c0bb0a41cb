"""A reliable stream of bytes over UDP, wire-compatible with libudx: the state machine.

Theory of operation
-------------------
A stream has a number at each end; a packet names the one its receiver chose. Packets that carry
data or the end are numbered from 0, one by one; whoever receives one owes an ack, which says what
number comes next and which later ones are there (`Receiver`). `Sender` keeps what is not acked,
finds out what is lost, and decides how much may leave. This file joins the halves and knows the
life of a stream:

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

from holdfast.udx.beats import Beats
from holdfast.udx.bursts import Addr, Burst, Packer
from holdfast.udx.events import Cause, Closed, Event, RemoteChanged
from holdfast.udx.inbox import WINDOW
from holdfast.udx.packet import (
    DATA,
    DESTROY,
    END,
    HEARTBEAT,
    MAX_SACKS,
    MESSAGE,
    SACK,
    Buffer,
    Header,
    encode,
    encode_ranges,
    parse,
)
from holdfast.udx.receiver import Receiver
from holdfast.udx.sender import IPV4_BYTES, Sender

PREVIOUS_TIME = 60.0
"""Seconds that packets from the last remote still count: longer than any network keeps them."""
LINGER = 8.0
"""Seconds that a closed stream answers late packets: three timeouts (1, 2 and 4 s)."""
MAX_MESSAGES = 256
"""Messages that wait to leave; they are unreliable anyway."""
MAX_MESSAGE = 1152
"""Bytes of a message: what fits the smallest path in one packet."""

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
        self.sender = Sender(seq, now, ip_bytes)
        self._receiver = Receiver(local_id, ack, window, self.sender.flight)
        self.inbox = self._receiver.inbox
        self.cause: Cause | None = None
        """Why it is closed, once it is."""
        self.gone = False
        """Closed, and nobody needs an answer any more."""
        self.ignored = 0
        """Batches of packets from strangers."""
        self._admit = admit
        self._previous: Addr | None = None
        self._change_at = -1
        self._messages: deque[bytes] = deque(maxlen=MAX_MESSAGES)
        self._beats = Beats(keep_alive)
        self._farewell = False
        self._gone_at = self._previous_until = _NEVER

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
        return self._receiver.owes_ack

    @property
    def heard(self) -> int:
        """Datagrams that counted, roughly."""
        return self._receiver.heard

    # -- use ------------------------------------------------------------------------------------

    def connect(self, remote_id: int, addr: Addr, now: float) -> None:
        """Say where the other end is and what it calls the stream."""
        self.remote_id, self.remote = remote_id, addr
        self._beats.sent(now)

    def change_remote(self, remote_id: int, addr: Addr, now: float) -> None:
        """The other end is elsewhere now, or reached another way: `RemoteChanged` follows.

        What comes from the old address counts for `PREVIOUS_TIME` seconds more.
        """
        if self.closed:
            return
        self._previous, self._previous_until = self.remote, now + PREVIOUS_TIME
        self.remote_id, self.remote = remote_id, addr
        self._change_at = self.sender.flight.next_seq
        self._note_change()
        self._receiver.owes_ack = (
            True  # it should see us on the new way even if we have nothing to say
        )
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
        return self._receiver.read()

    def events(self) -> list[Event]:
        """What has happened since the last call. Read first: `Ended` comes after all bytes."""
        events, self._receiver.events = self._receiver.events, []
        return events

    # -- what arrives ---------------------------------------------------------------------------

    def receive(self, data: Buffer, addr: Addr, now: float, segment: int = 0) -> None:
        """A datagram, or several of ``segment`` bytes each (the last may be shorter)."""
        if addr != self.remote and not self._admits(addr, now):
            self.ignored += 1
        elif self.closed:
            self._receive_late(data)
        else:
            self._beats.heard()
            self._receiver.receive(memoryview(data), segment or len(data))
            if self._receiver.destroyed:
                self._close(Cause.RESET, now)

    def _admits(self, addr: Addr, now: float) -> bool:
        if addr == self._previous and now < self._previous_until:
            return True
        return self._admit is not None and not self.closed and self._admit(addr)

    def _receive_late(self, data: Buffer) -> None:
        header = parse(data)
        if header is None or header.stream_id != self.local_id:
            return
        if header.kind & (DATA | END | HEARTBEAT):
            if self.cause is Cause.FINISHED:
                self._receiver.owes_ack = True
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
            self._receiver.offered = window
            self._beats.sent(now)
            if not self.inbox.seen:
                self._receiver.owes_ack = False  # the data said it
        if self.sender.blocked:
            self._beats.wait(now, self.sender.flight.rtt.timeout)
        self._add_ack(packer)
        return packer.take()

    def _add_loose(self, packer: Packer) -> None:
        while self._messages:
            packer.add(self._header(MESSAGE), self._messages.popleft())
        if self._beats.due:
            self._beats.due = False
            packer.add(self._header(HEARTBEAT), b"")

    def _add_ack(self, packer: Packer) -> None:
        if not self._receiver.owes_ack:
            return
        self._receiver.owes_ack = False
        self._receiver.offered = self.inbox.window
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
        news = self._receiver.newest.take()
        if news is None or self.closed:
            return
        self.sender.on_window(news.window, news.seq, news.ack)
        self.sender.on_ack(news.ack, news.ranges, now)
        self._note_change()
        if self.sender.flight.empty:
            self._beats.sent(now)

    def _note_change(self) -> None:
        if 0 <= self._change_at <= self.sender.flight.una:
            self._change_at = -1
            self._receiver.events.append(RemoteChanged())

    # -- time -----------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When `on_deadline` is due, or None."""
        if self.closed:
            return None if self.gone else self._gone_at
        due = min(self.sender.deadline(), self._beats.at) if self.connected else _NEVER
        return None if due == _NEVER else due

    def on_deadline(self, now: float) -> None:
        """Something may be due; `to_send` follows."""
        if self.closed:
            self.gone = self.gone or now >= self._gone_at
            return
        self._beats.on_deadline(now)
        sender = self.sender
        sender.on_deadline(now)
        if sender.dead or self._beats.dead:
            # Once the other side has ended and only our end is not acked, it has probably left with
            # the ack that got lost; it has not if the network is down, so this takes as long.
            done = self.inbox.ended and sender.only_end_left
            self._close(Cause.FINISHED if done else Cause.TIMED_OUT, now)

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
            self._receiver.owes_ack = False
        self._gone_at = now if cause is Cause.RESET or not self.connected else now + LINGER
        self._receiver.events.append(Closed(cause))
