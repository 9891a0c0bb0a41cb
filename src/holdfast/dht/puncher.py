"""Opening a way through two NATs: who sends which one-byte probe when (wire notes 4.11).

A pure machine over numbered sockets. Its owner opens a socket for each number below `sockets`,
sends what `to_send` gives, hands in the probes that arrive, and tells what DHT nodes see of the
sockets (`nat`). Two NATs that keep one port for everybody need a probe from each side. Where one
side gets another port for each destination, it opens 256 sockets towards the other, which tries
1,750 random ports: the birthday paradox lets two meet with 99.9 % probability.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from holdfast.dht.ipv4 import is_usable
from holdfast.dht.nat import Address, Firewall, NatSamples

PROBE = b"\x00"
"""All that a probe says."""
LOW_TTL = 5
"""Hops of a probe that shall open our own NAT, and not reach the other side and annoy it."""
BIRTHDAY_SOCKETS = 256
RANDOM_PROBES = 1750
RANDOM_INTERVAL = 0.02
"""Seconds between random probes: together they take 35 s, as long as a NAT keeps a new entry."""
STEADY_PROBES = 10
STEADY_INTERVAL = 1.0
WARM_UP = 0.1
"""Seconds between opening many sockets and the first probe that shall arrive."""
MAX_REOPENS = 3
"""New sockets tried when a NAT gives no verdict (mobile networks change their mind)."""
MAX_REMOTE_ADDRESSES = 8
"""Addresses of the other side that are probed: it has an uplink or two."""


class Probe(NamedTuple):
    """One datagram to send."""

    socket: int
    to: Address
    low_ttl: bool = False


class RandomBudget:
    """How many random punches a node may have: 1,750 packets look like a port scan."""

    def __init__(self, *, limit: int = 1, interval: float = 20.0) -> None:
        """At most ``limit`` at a time, and ``interval`` seconds between the last and the next."""
        self._limit, self._interval = limit, interval
        self._running = 0
        self._free_at = 0.0

    def free(self, now: float) -> bool:
        """Whether one may begin."""
        return self._running < self._limit and now >= self._free_at

    def take(self) -> None:
        """One begins."""
        self._running += 1

    def give_back(self, now: float) -> None:
        """One has ended."""
        self._running -= 1
        self._free_at = now + self._interval


class Puncher:
    """One side's probing for one connection."""

    def __init__(
        self,
        initiator: bool,
        *,
        nat: NatSamples,
        budget: RandomBudget,
        below: Callable[[int], int],
        remote_firewall: Firewall = Firewall.UNKNOWN,
    ) -> None:
        """``below(n)`` gives a random number under ``n``; ``nat`` is about socket 0."""
        self.initiator = initiator
        self.nat = nat
        self.remote_firewall = remote_firewall
        self.remote_punching = False
        self.remote_addresses: list[Address] = []
        self.verified: set[str] = set()
        """Hosts at which the other side has proven to receive."""
        self.first_socket = 0
        """The one that the NAT's verdict is about."""
        self.sockets = 1
        """Sockets that the owner should have opened: the numbers from `first_socket` on."""
        self.reopens = 0
        self.punching = False
        self.connected: tuple[int, Address] | None = None
        """The socket and address on which the initiator has heard the other side."""
        self.closed = False
        """Whether it is over, without success."""
        self._budget = budget
        self._below = below
        self._out: deque[Probe] = deque()
        self._next: Callable[[float], float | None] | None = None
        self._due: float | None = None
        self._step = 0
        self._random = False

    # ------------------------------------------------------------ what is known

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do, well or not."""
        return self.closed or self.connected is not None

    @property
    def unstable(self) -> bool:
        """Whether another socket might have a better fate than this one."""
        ours = self.nat.firewall
        return ours == Firewall.UNKNOWN or (
            ours == Firewall.RANDOM and self.remote_firewall == Firewall.RANDOM
        )

    @property
    def random(self) -> bool:
        """Whether one side gets new ports all the time."""
        return Firewall.RANDOM in (self.nat.firewall, self.remote_firewall)

    def update_remote(
        self,
        *,
        firewall: Firewall,
        punching: bool,
        addresses: list[Address] | None,
        verified: str | None,
    ) -> None:
        """The other side has told how it stands."""
        self.remote_firewall = firewall
        self.remote_punching = punching
        self.remote_addresses = (addresses or [])[:MAX_REMOTE_ADDRESSES]
        if verified is not None:
            self.verified.add(verified)

    def reopen(self, nat: NatSamples) -> bool:
        """Try a new socket, which ``nat`` is about from now on; False after too many."""
        if self.reopens >= MAX_REOPENS or self.punching or self.over:
            return False
        self.reopens += 1
        self.first_socket += 1
        self.nat = nat
        return True

    # ------------------------------------------------------------ probes

    def ping(self, to: Address) -> None:
        """Send one probe that shall arrive."""
        self._probe(self.first_socket, to)

    def open_session(self, to: Address) -> None:
        """Let our NAT expect packets from there, without a packet arriving there."""
        self._probe(self.first_socket, to, low_ttl=True)

    def receive(self, socket: int, source: Address, now: float) -> None:
        """A probe has arrived."""
        if self.over or not self.first_socket <= socket < self.first_socket + self.sockets:
            return
        if not self.initiator:
            self._probe(socket, source)  # shows the initiator that both directions are open
            return
        self.connected = socket, source
        self._stop(now)

    def punch(self, now: float) -> bool:
        """Begin; False when these two cannot be brought together this way. Idempotent."""
        if self.punching:
            return True
        if self.over or not self.remote_addresses:
            return False
        ours, theirs = _as_nat(self.nat.firewall), _as_nat(self.remote_firewall)
        plan = self._plan(ours, theirs)
        if plan is None:
            return False
        self.punching = True
        if Firewall.RANDOM in (ours, theirs):
            self._random = True
            self._budget.take()
        self._step = 0
        self._next, delay = plan
        self._due = now + delay
        return True

    def close(self, now: float) -> None:
        """Give up, or let go after success. Idempotent."""
        self.closed = self.connected is None
        self._stop(now)

    def to_send(self, now: float) -> list[Probe]:
        """The probes that are due."""
        out = list(self._out)
        self._out.clear()
        return out

    def deadline(self) -> float | None:
        """When `on_deadline` wants to be called next; None for never."""
        return self._due

    def on_deadline(self, now: float) -> None:
        """Go on with the probing; `closed` when it has led nowhere."""
        while self._due is not None and now >= self._due and self._next is not None:
            delay = self._next(self._due)
            if delay is None:
                self.close(now)
                return
            # After a standstill the missed probes are not made up for in one burst.
            self._due = max(self._due + delay, now - RANDOM_INTERVAL * 10)

    # ------------------------------------------------------------ plans

    def _plan(
        self, ours: Firewall, theirs: Firewall
    ) -> tuple[Callable[[float], float | None], float] | None:
        if ours == theirs == Firewall.CONSISTENT:
            # The responder has just answered with a probe: let that arrive first.
            return self._steady, 0.0 if self.initiator else STEADY_INTERVAL
        target = self._verified_address()
        if target is None:
            return None
        if ours == Firewall.CONSISTENT and theirs == Firewall.RANDOM:
            return lambda now: self._guess(target), 0.0
        if ours == Firewall.RANDOM and theirs == Firewall.CONSISTENT and is_usable(target):
            self.sockets = BIRTHDAY_SOCKETS
            for number in range(1, BIRTHDAY_SOCKETS):
                self._probe(self.first_socket + number, target, low_ttl=True)
            return lambda now: self._knock(target), WARM_UP
        return None

    def _verified_address(self) -> Address | None:
        known = (address for address in self.remote_addresses if address[0] in self.verified)
        return next(known, None)

    def _steady(self, now: float) -> float | None:
        if self._step >= STEADY_PROBES:
            return None
        self._step += 1
        for address in self.remote_addresses:
            # An address that may be a stranger's is tried now and then only.
            if address[0] in self.verified or self._step % 4 == 0:
                self._probe(self.first_socket, address)
        return STEADY_INTERVAL

    def _guess(self, target: Address) -> float | None:
        """The other side has opened many ports towards us: hit one."""
        if self._step >= RANDOM_PROBES:
            return None
        self._step += 1
        self._probe(self.first_socket, (target[0], 1000 + self._below(64536)))
        return RANDOM_INTERVAL

    def _knock(self, target: Address) -> float | None:
        """Keep our many sockets open towards the other side, which guesses their ports."""
        if self._step >= RANDOM_PROBES:
            return None
        turn, number = divmod(self._step, BIRTHDAY_SOCKETS)
        self._step += 1
        self._probe(self.first_socket + number, target, low_ttl=turn == 0)
        return RANDOM_INTERVAL

    def _probe(self, socket: int, to: Address, *, low_ttl: bool = False) -> None:
        if not self.over and is_usable(to):
            self._out.append(Probe(socket, to, low_ttl))

    def _stop(self, now: float) -> None:
        self.punching = False
        self._next = self._due = None
        self._out.clear()
        if self._random:
            self._random = False
            self._budget.give_back(now)


def _as_nat(firewall: Firewall) -> Firewall:
    """Who is open to everybody needs no less than one with a steady port."""
    return Firewall.CONSISTENT if firewall == Firewall.OPEN else firewall
