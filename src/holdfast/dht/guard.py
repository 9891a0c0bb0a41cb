"""Against reflection: who has not proved its address gets no answer much longer than its question.

The sender of a datagram can write any address into it, and a node that answers such a datagram with
many times its size is a weapon. A host counts as proved when it has shown one of our tokens or
answered a request of ours. To any other, an answer may be three times as long as the question.
What does not fit is held back, and a small ping asks whether anybody is there; JavaScript peers
answer it too, so all that they notice is one more round trip.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

AMPLIFICATION = 3
"""Bytes of answer for a byte of question, as QUIC has it (RFC 9000 8.1)."""
GOOD_FOR = 600.0
"""Seconds that a proof holds: peers refresh and ping more often than that."""
MOST_PROVED = 4096
"""Hosts remembered; about 100 bytes each."""
HELD_FOR = 2.0
"""Seconds that an answer is held back: the asker asks again after one."""
MOST_HELD = 256
MOST_HELD_OF_ONE = 16
"""Answers held back in all (at 1.5 KB each), and for one host."""


class Datagram(NamedTuple):
    """Something to send."""

    data: bytes
    addr: tuple[str, int]
    socket: object
    ttl: int | None = None


class _Held(NamedTuple):
    until: float
    answers: list[Datagram]


class Guard:
    """Remembers which hosts have proved their address, and what waits for such a proof."""

    def __init__(self) -> None:
        self._proved: OrderedDict[str, float] = OrderedDict()
        self._held: dict[str, _Held] = {}
        self._order: deque[tuple[float, str]] = deque()
        self._count = 0
        self.dropped = 0
        """Answers not given because nobody was there, or because too many waited."""

    def is_proved(self, host: str, now: float) -> bool:
        """Whether a host receives what is sent to it."""
        return self._proved.get(host, now) > now

    def prove(self, host: str, now: float) -> list[Datagram]:
        """A host is there; returns what was held back for it."""
        if self._proved.get(host, now) < now + GOOD_FOR / 2:
            self._proved[host] = now + GOOD_FOR
            self._proved.move_to_end(host)
            if len(self._proved) > MOST_PROVED:
                self._proved.popitem(last=False)
        elif not self._held:
            return []
        held = self._held.pop(host, None)
        if held is None:
            return []
        self._count -= len(held.answers)
        return held.answers if held.until > now else []

    def hold(self, answer: Datagram, now: float) -> bool:
        """Keep an answer until its receiver has proved its address; whether to ping that one."""
        self._expire(now)
        host = answer.addr[0]
        held = self._held.get(host)
        if self._count >= MOST_HELD or (held and len(held.answers) >= MOST_HELD_OF_ONE):
            self.dropped += 1
            return False
        self._count += 1
        if held is not None:
            held.answers.append(answer)
            return False
        self._held[host] = _Held(now + HELD_FOR, [answer])
        self._order.append((now + HELD_FOR, host))
        return True

    def ask(self, host: str, now: float) -> bool:
        """Whether to ping a host for the sake of later answers (once at a time)."""
        self._expire(now)
        if host in self._held or len(self._held) >= MOST_HELD:
            return False
        self._held[host] = _Held(now + HELD_FOR, [])
        self._order.append((now + HELD_FOR, host))
        return True

    def _expire(self, now: float) -> None:
        while self._order and self._order[0][0] <= now:
            until, host = self._order.popleft()
            held = self._held.get(host)
            if held is not None and held.until == until:
                del self._held[host]
                self._count -= len(held.answers)
                self.dropped += len(held.answers)
