"""Keeping the routing table alive with few packets: pings, refreshes, first contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.dht.calls import Call, Reply
from holdfast.dht.reach import NEVER_SAMPLED, SAMPLE_AGAIN
from holdfast.dht.table import Contact, K

if TYPE_CHECKING:
    from holdfast.dht.node import Node
    from holdfast.dht.request import Request

_NEVER = float("inf")

TICK = 5.0
"""Seconds between looks at the table, as in the peers."""
ASLEEP = 3 * TICK
"""A gap between looks from which we conclude that the machine has slept."""
PING_EVERY = 8
"""Looks between pings: those heard of longest ago, a few every 40 s."""
REFRESH_EVERY = 60
"""Looks between walks when nobody walks: one every 5 minutes."""
STABLE = 240
"""Quiet looks (20 minutes) after which a node may offer to stay."""
UNSTABLE = 3 * STABLE
"""The same after it has slept, or has been refused."""
RECENT, OLD = 60.0, SAMPLE_AGAIN
"""Seconds: a contact that was just heard of, one that has proved itself."""
MOST_CHECKS = 10
"""Contacts that are being pinged because somebody says that they are down."""
MOST_SWAPS = 3
"""Contacts that are being pinged to see whether a newer one may have their place."""
MOST_HINTS = 50
"""Hints that somebody is down, sent between two looks."""
MOST_DELAY = 10.0
"""Seconds that a delayed ping may ask for."""
MOST_DELAYED = 256
"""Delayed pings that wait for their time."""


class Upkeep:
    """What a node does of its own accord; part of a `Node`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._started = False
        self._next_tick = self.soonest = node.now + TICK
        self._last_tick = node.now
        self._ticks = 100 - node.random(1)[0] % 50
        self._refresh = REFRESH_EVERY - node.random(1)[0] % (REFRESH_EVERY // 2)
        self._stable = STABLE
        self._checks = self._swaps = self._hints = 0
        self._delayed: list[tuple[float, Request]] = []

    def start(self) -> None:
        """Begin to look after the table."""
        self._started = True

    # ---------------------------------------------------------------- time

    def deadline(self) -> float:
        """When there is something to do."""
        return self.soonest

    def on_deadline(self, now: float) -> None:
        """Time has passed."""
        while self._delayed and self._delayed[0][0] <= now:
            _, request = self._delayed.pop(0)
            request.reply(token=False, closer_nodes=False)
        if now < self._next_tick:
            self._set_deadline()
            return
        slept = now - self._last_tick > ASLEEP
        self._last_tick, self._next_tick = now, now + TICK
        self._set_deadline()
        self._hints = 0
        if not self._started:
            return
        if slept:
            self.start_again()
        self._ticks += 1
        self._look()

    def _look(self) -> None:
        node = self._node
        if not len(node.table) and node.bootstrap:
            node.joining.try_again()
            return
        if node.reach.adaptive and node.reach.ephemeral:
            self._stable -= 1
            if self._stable <= 0:
                self._stable = UNSTABLE
                node.reach.check(firewall_only=False, done=node.joining.walk_again)
        if self._ticks % PING_EVERY == 0:
            self._ping_some()
        self._refresh -= 1
        if self._refresh <= 0 or (self._ticks % 64 == 0 and len(node.table) < K):
            self.refresh()

    def start_again(self) -> None:
        """The machine has slept or moved: all contacts are old, and our address is not known."""
        self._stable = UNSTABLE
        self._refresh = 1
        self._node.reach.start_again()
        for contact in self._node.table:
            contact.pinged = contact.seen = self._node.now - OLD
            contact.sampled = NEVER_SAMPLED

    def was_active(self) -> None:
        """A walk keeps the table fresh as well as a refresh does."""
        self._refresh = REFRESH_EVERY

    def refresh(self) -> None:
        """Walk to somewhere we know, for the sake of the table."""
        self.was_active()
        node = self._node
        contacts = list(node.table)
        target = node.table.id
        if contacts:
            target = contacts[int.from_bytes(node.random(2), "little") % len(contacts)].id
        if not node.is_busy():
            node.find_node(target, concurrency=2)

    def _ping_some(self) -> None:
        oldest = list(self._node.table)[:5]
        if not oldest:
            return
        recent = self._node.now - oldest[0].pinged < RECENT
        for contact in oldest[: 2 if recent else 5]:
            self._check(contact)

    # ---------------------------------------------------------------- contacts

    def add(self, packed: bytes, seen_as: bytes | None) -> None:
        """Somebody new is there under its id; room is made only for who outlives another."""
        node = self._node
        contact = Contact(packed, node.now)
        if packed == node.reach.packed:
            return
        if node.table.add(contact):
            if seen_as is not None:
                node.reach.witness(contact, packed, contact.id, seen_as)
        elif self._swaps < MOST_SWAPS and packed != node.reach.packed:
            self._compete(contact)

    def _compete(self, contact: Contact) -> None:
        """A row is full: the one silent for longest must answer, or give its place to the newer."""
        now = self._node.now
        row = self._node.table.row_of(contact.key)
        rivals = [rival for rival in row if rival.pinged < now]
        if not rivals:
            return
        oldest = min(rivals, key=lambda rival: (rival.pinged, rival.added))
        if now - oldest.pinged < RECENT:
            return
        oldest.pinged = now
        self._swaps += 1

        def done(call: Call, reply: Reply | None) -> None:
            self._swaps -= 1
            if oldest.seen < now:
                self._node.table.remove(oldest.packed)
                self._node.table.add(contact)

        self._node.ping(oldest.packed, done)

    def suspect(self, packed: bytes) -> None:
        """Somebody says that a node we named is down: see for ourselves, and not too often."""
        contact = self._node.table.get(packed)
        if contact is None or self._checks >= MOST_CHECKS:
            return
        if not contact.hints or self._node.now - contact.pinged >= TICK:
            contact.hints += 1
            self._check(contact)

    def _check(self, contact: Contact) -> None:
        """Ping a contact; who does not answer under its id is no contact any more."""
        asked = contact.pinged = self._node.now
        self._checks += 1

        def done(call: Call, reply: Reply | None) -> None:
            self._checks -= 1
            if reply is None or (reply.from_id is None and contact.seen < asked):
                self._node.table.remove(contact.packed)

        self._node.ping(contact.packed, done)

    def may_hint(self) -> bool:
        """Whether there is room for one more hint that somebody is down."""
        self._hints += 1
        return self._hints <= MOST_HINTS

    def answer_later(self, request: Request, seconds: float) -> None:
        """A ping that wants its answer after a while: how long a NAT keeps a hole open."""
        if seconds <= MOST_DELAY and len(self._delayed) < MOST_DELAYED:
            self._delayed.append((self._node.now + seconds, request))
            self._delayed.sort(key=lambda item: item[0])
            self._set_deadline()

    def _set_deadline(self) -> None:
        self.soonest = min(self._next_tick, self._delayed[0][0] if self._delayed else _NEVER)
