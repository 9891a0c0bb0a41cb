"""Requests that wait for their replies: numbering, resending, giving up, never too many at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from holdfast.dht.ids import split, unpack
from holdfast.dht.nat import Address
from holdfast.dht.packet import Frame, ReplyPacket
from holdfast.errors import UnavailableError

PATIENCE = 1.0
"""Seconds after which a request is sent again when no round trip was seen yet, as the peers do."""
LEAST_PATIENCE = 0.25
"""Seconds that a busy machine may take to answer over the shortest path."""
SENDS = 4
"""Times a request is sent: with one packet in five lost, 1 of 600 goes unanswered."""
WINDOW = 160
"""Fresh requests in the air, as in the peers: more would only be lost in a home router."""
MOST_CALLS = 4096
"""Requests that wait, sent or not; a hundred queries need 1000."""

_TIDS = 1 << 16
_NEVER = float("inf")


class Reply(ReplyPacket):
    """An answer, and who gave it."""

    __slots__ = ("from_id", "packed", "rtt", "socket")

    packed: bytes
    """Who gave it, packed."""
    from_id: bytes | None
    """Its id; None when it is not there to stay."""
    rtt: float
    """Seconds since it was asked."""
    socket: object
    """The socket it came in on."""

    @property
    def from_addr(self) -> Address:
        """Who answers."""
        return unpack(self.packed)

    @property
    def seen_as(self) -> Address:
        """Our address as the other side sees us."""
        return unpack(self.to)

    @property
    def closer_nodes(self) -> list[Address]:
        """Nodes nearer to the target, in its view."""
        return [unpack(each) for each in split(self.closer)]


Done = Callable[["Call", Reply | None], None]
"""Called once with the reply, or with None when nobody answered; it must not block."""


class Call:
    """One request on its way."""

    __slots__ = (
        "alive",
        "data",
        "depth",
        "lates",
        "on_done",
        "on_slow",
        "packed",
        "patience",
        "sends",
        "sends_left",
        "sent_at",
        "socket",
        "tid",
        "ttl",
    )

    def __init__(self, packed: bytes, frame: Frame, tid: int, socket: object) -> None:
        self.packed = packed
        self.tid = tid
        self.data = frame.encode(tid.to_bytes(2, "little"), packed)
        self.socket = socket
        self.ttl: int | None = None
        self.on_done: Done = _ignore
        self.on_slow: Callable[[Call], None] | None = None
        self.patience = 0.0
        """Seconds between sends; 0: as the round trips seen so far suggest."""
        self.sends = 0
        self.sends_left = SENDS
        self.sent_at = 0.0
        self.lates = 0
        """How often it was waited for longer than is usual."""
        self.alive = True
        self.depth = 0


def _ignore(call: Call, reply: Reply | None) -> None:
    """Nobody waits for this answer."""


class Calls:
    """All requests of one node."""

    def __init__(
        self,
        send: Callable[[Call], None],
        lost: Callable[[Call], None],
        random: Callable[[int], bytes],
    ) -> None:
        """``send`` puts a request on the wire; ``lost`` hears of each that nobody answered."""
        self._send = send
        self._lost = lost
        self._tid = int.from_bytes(random(2), "little")
        self._by_tid: dict[int, Call] = {}
        self._timers: list[tuple[float, int, Call]] = []
        self._order = 0
        self._waiting: deque[Call] = deque()
        self._fresh = 0
        self._rtt = self._spread = 0.0
        self._usual = PATIENCE
        """What `_patience` begins with."""
        self.soonest = _NEVER
        """A time before which `on_deadline` has nothing to do."""
        self.total = self.answered = self.timed_out = self.resent = 0

    def __len__(self) -> int:
        return len(self._by_tid)

    @property
    def rtt(self) -> float:
        """A usual round trip in seconds; 0 when none was seen yet."""
        return self._rtt

    def tid(self) -> int:
        """A number that no request in the air has; UnavailableError when there are too many."""
        if len(self._by_tid) >= MOST_CALLS:
            raise UnavailableError("Too many DHT requests are waiting for an answer.")
        while self._tid in self._by_tid:
            self._tid = (self._tid + 1) % _TIDS
        taken, self._tid = self._tid, (self._tid + 1) % _TIDS
        return taken

    def start(self, call: Call, now: float, *, at_once: bool = False) -> None:
        """Send it, as soon as the window lets it go (``at_once``: whatever the window says)."""
        self._by_tid[call.tid] = call
        self.total += 1
        if self._fresh >= WINDOW and not at_once:
            self._waiting.append(call)
        else:
            self._transmit(call, now)

    def match(self, tid: int, packed: bytes, now: float) -> Call | None:
        """The request that this answers; it is done with. Only the one asked may answer."""
        call = self._by_tid.get(tid)
        if call is None or call.packed != packed or not call.sends:
            return None
        if call.sends == 1:
            self._learn(now - call.sent_at)
        self.answered += 1
        self._drop(call)
        if self._waiting:
            self._next(now)
        return call

    def cancel(self, call: Call, now: float) -> None:
        """Nobody wants the answer any more; ``on_done`` is not called."""
        if call.alive:
            self._drop(call)
            self._next(now)

    def deadline(self) -> float:
        """When `on_deadline` has something to do."""
        timers = self._timers
        while timers and not timers[0][2].alive:
            heappop(timers)
        self.soonest = timers[0][0] if timers else _NEVER
        return self.soonest

    def on_deadline(self, now: float) -> None:
        """Send again what is due, and give up what was sent often enough."""
        timers = self._timers
        while timers and (timers[0][0] <= now or not timers[0][2].alive):
            call = heappop(timers)[2]
            if call.alive:
                self._late(call, now)

    def _late(self, call: Call, now: float) -> None:
        call.lates += 1
        if call.lates == 1:
            self._fresh -= 1
        if call.on_slow is not None:
            call.on_slow(call)
        if not call.alive:
            pass
        elif call.sends_left > 0:
            self.resent += 1
            self._transmit(call, now)
        else:
            self.timed_out += 1
            self._drop(call)
            self._lost(call)
            call.on_done(call, None)
        self._next(now)

    def _transmit(self, call: Call, now: float) -> None:
        if not call.sends:
            self._fresh += 1
        call.sends += 1
        call.sends_left -= 1
        call.sent_at = now
        self._order += 1
        due = now + self._patience(call)
        heappush(self._timers, (due, self._order, call))
        if due < self.soonest:
            self.soonest = due
        self._send(call)

    def _patience(self, call: Call) -> float:
        if call.patience:
            return call.patience
        if call.sends == 1:
            return self._usual
        return min(PATIENCE, self._usual * float(1 << call.sends - 1))

    def _learn(self, rtt: float) -> None:
        if not self._rtt:
            self._rtt, self._spread = rtt, rtt / 2
        else:
            self._spread += (abs(rtt - self._rtt) - self._spread) / 4
            self._rtt += (rtt - self._rtt) / 8
        self._usual = min(PATIENCE, max(LEAST_PATIENCE, self._rtt + 4 * self._spread))

    def _drop(self, call: Call) -> None:
        call.alive = False
        if self._by_tid.get(call.tid) is call:
            del self._by_tid[call.tid]
        if call.sends and not call.lates:
            self._fresh -= 1
        if len(self._timers) > 64 + 4 * len(self._by_tid):
            self._timers = [timer for timer in self._timers if timer[2].alive]
            heapify(self._timers)

    def _next(self, now: float) -> None:
        while self._waiting and self._fresh < WINDOW:
            call = self._waiting.popleft()
            if call.alive:
                self._transmit(call, now)
