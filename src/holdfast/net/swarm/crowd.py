"""Everybody a swarm has heard of, and whom to dial next: the swarm's rules, pure.

Time and chance are parameters and nothing here does anything: it is told what was found, opened and
closed, and asked whom to dial (`Crowd.to_dial`), whom to let go (`Crowd.to_drop`) and whether
somebody may come in (`Crowd.may_take`). So two hundred of them run in virtual time in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from holdfast.net.swarm.backoff import Backoff
from holdfast.net.swarm.bans import Bans
from holdfast.net.swarm.candidate import Candidate
from holdfast.net.swarm.known import Known, SwarmLimits
from holdfast.net.swarm.mesh import Ring


class Crowd:
    """The peers of one swarm."""

    def __init__(
        self, own_key: bytes, limits: SwarmLimits | None = None, *, random: Callable[[], float]
    ) -> None:
        """``random`` gives numbers from 0 to 1."""
        self.limits = limits or SwarmLimits()
        self.bans = Bans()
        self.known: dict[bytes, Known] = {}
        self._own_key = own_key
        self._random = random
        self._rings: dict[bytes, Ring] = {}
        self._members: dict[bytes, dict[bytes, Known]] = {}
        self._dialling = 0
        self._open: set[bytes] = set()

    # -- what is wanted -------------------------------------------------------------------------

    def join(self, topic: bytes) -> None:
        """Peers of this topic are of interest."""
        self._rings.setdefault(topic, Ring(topic, self._own_key))
        self._members.setdefault(topic, {})

    def leave(self, topic: bytes) -> None:
        """They are not any more; connections stay."""
        self._rings.pop(topic, None)
        for peer in self._members.pop(topic, {}).values():
            peer.topics.discard(topic)
            self._forget_maybe(peer)

    def ask_for(self, key: bytes, wanted: bool) -> None:
        """Keep a connection with this very peer, or do not insist on it any more."""
        if key == self._own_key:
            return
        peer = self.known.setdefault(key, Known(key)) if wanted else self.known.get(key)
        if peer is not None:
            peer.asked_for = wanted
            if wanted and peer.state == "idle":
                peer.backoff, peer.due = Backoff(), 0.0
            self._forget_maybe(peer)

    # -- what happens ---------------------------------------------------------------------------

    def found(self, candidate: Candidate, topic: bytes, now: float) -> bool:
        """A finder says that somebody has a topic; False when that changes nothing."""
        key = candidate.public_key
        ring = self._rings.get(topic)
        if ring is None or key == self._own_key or self.bans.banned(key, now):
            return False
        peer = self.known.get(key)
        if peer is None or topic not in peer.topics:
            self._make_room(topic)
        if peer is None:
            peer = self.known[key] = Known(key)
        news = topic not in peer.topics
        news |= peer.learn(candidate)
        peer.topics.add(topic)
        self._members[topic][key] = peer
        if peer.state == "open" or peer.backoff.attempts <= 1:
            ring.add(key)
        if peer.state == "idle" and peer.due is None and peer.backoff.renew(now):
            peer.due, news = now, True
            ring.add(key)
        return news

    def _make_room(self, topic: bytes) -> None:
        """Forget the least promising peer when there are as many as may be."""
        sharing = self._members[topic]
        if len(sharing) >= self.limits.max_known_per_topic:
            self._forget_one(sharing.values())
        elif len(self.known) >= self.limits.max_known + len(self._open):
            self._forget_one(self.known.values())

    def _forget_one(self, peers: Iterable[Known]) -> None:
        idle = [peer for peer in peers if peer.state == "idle" and not peer.asked_for]
        if not idle:
            return
        worst = max(idle, key=lambda peer: (peer.due is None, not peer.backoff.proven))
        self._leave_rings(worst.key)
        for topic in worst.topics:
            del self._members[topic][worst.key]
        worst.topics.clear()
        self._forget_maybe(worst)

    def again(self, topic: bytes, now: float) -> None:
        """Nobody of a topic is connected: dial even those that were given up."""
        for peer in self.peers_of(topic):
            if peer.state == "idle" and peer.due is None and peer.backoff.renew(now):
                peer.due = now

    def began(self, key: bytes) -> None:
        """A dial has begun; ends with `opened` or `failed`."""
        peer = self.known[key]
        peer.state = "dialling"
        self._dialling += 1

    def opened(self, key: bytes, now: float) -> None:
        """There is a connection with this peer, whoever began it."""
        peer = self.known.setdefault(key, Known(key))
        self._stop_dialling(peer)
        peer.state, peer.due = "open", None
        peer.backoff.opened(now)
        self._open.add(key)
        for topic, ring in self._rings.items():
            # Who came by itself found us under one of them; under which, it did not say.
            if topic in peer.topics or (not peer.topics and ring.would_neighbour(key)):
                ring.add(key)

    def failed(self, key: bytes, now: float) -> None:
        """A dial has come to nothing."""
        peer = self.known.get(key)
        if peer is None or peer.state != "dialling":
            return
        self._stop_dialling(peer)
        self._ended(peer, now)

    def closed(self, key: bytes, now: float, *, pause: float = 0.0, strike: bool = False) -> None:
        """The connection with a peer is gone: dial it no sooner than after ``pause`` seconds.

        ``strike``: it broke the protocol and is banned for a while.
        """
        self._open.discard(key)
        peer = self.known.get(key)
        if strike:
            self.bans.strike(key, now)
        if peer is not None and peer.state == "open":
            self._ended(peer, now)
            if peer.due is not None and pause:
                peer.due = max(peer.due, now + pause)

    def _stop_dialling(self, peer: Known) -> None:
        if peer.state == "dialling":
            self._dialling -= 1
            peer.state = "idle"

    def _ended(self, peer: Known, now: float) -> None:
        peer.state = "idle"
        peer.backoff.ended(now)
        pause = peer.backoff.pause(self._random, asked_for=peer.asked_for)
        peer.due = None if pause is None else now + pause
        if peer.backoff.attempts > 1 or not peer.topics:
            self._leave_rings(peer.key)
        self._forget_maybe(peer)

    def _leave_rings(self, key: bytes) -> None:
        for ring in self._rings.values():
            ring.discard(key)

    def _forget_maybe(self, peer: Known) -> None:
        if peer.state == "idle" and not peer.asked_for and not peer.topics:
            self.known.pop(peer.key, None)

    def ban(self, key: bytes, now: float, seconds: float | None) -> None:
        """Neither dial nor take this key for so many seconds (None: until it is lifted)."""
        self.bans.ban(key, now, seconds)
        self._leave_rings(key)

    # -- what to do -----------------------------------------------------------------------------

    def to_dial(self, now: float) -> list[Known]:
        """Whom to dial now, the best first: call `began` for each."""
        room = self.limits.parallel - self._dialling
        if room <= 0:
            return []
        spare = self.limits.max_peers - len(self._open) - self._dialling
        kept = self._neighbours()
        due = [
            peer
            for peer in self.known.values()
            if peer.state == "idle"
            and peer.due is not None
            and peer.due <= now
            and (spare > 0 or peer.asked_for or peer.key in kept)
            and not self.bans.banned(peer.key, now)
        ]
        due.sort(key=lambda peer: self._rank(peer, kept))
        chosen: list[Known] = []
        for peer in due:
            if len(chosen) >= room:
                break
            if peer.asked_for or spare > 0 or (peer.key in kept and self._loose(kept)):
                chosen.append(peer)
                spare -= 1
        return chosen

    def _rank(self, peer: Known, kept: set[bytes]) -> tuple[bool, bool, bool, int, float]:
        tried = peer.backoff.attempts
        return (
            not peer.asked_for,
            peer.key not in kept,
            bool(tried) and not peer.backoff.proven,
            tried,
            self._random(),
        )

    def deadline(self, now: float) -> float | None:
        """When somebody becomes due that is not yet; None when nobody will."""
        times = [
            peer.due
            for peer in self.known.values()
            if peer.state == "idle" and peer.due is not None and peer.due > now
        ]
        return min(times, default=None)

    def to_drop(self) -> list[bytes]:
        """Whom to hang up on because there are too many."""
        surplus = len(self._open) - self.limits.max_connections
        if surplus <= 0:
            return []
        loose = self._loose(self._neighbours())
        loose.sort(key=lambda key: (bool(self.known[key].topics), self._random()))
        return loose[:surplus]

    def may_take(self, key: bytes, now: float) -> bool:
        """Whether somebody who knocks may come in."""
        if self.bans.banned(key, now):
            return False
        if len(self._open) < self.limits.max_connections or key in self._open:
            return True
        peer = self.known.get(key)
        if not (peer is not None and peer.asked_for):
            rings = self._rings.values()
            if self.limits.max_connections < 3 or not any(r.would_neighbour(key) for r in rings):
                return False
        return bool(self._loose(self._neighbours()))

    def _neighbours(self) -> set[bytes]:
        """Those that hold the topics' rings together, if there is room for a ring at all."""
        if self.limits.max_connections < 3:
            return set()
        return {key for ring in self._rings.values() for key in ring.neighbours()}

    def _loose(self, kept: set[bytes]) -> list[bytes]:
        """Connections that may be given up for better ones."""
        return [key for key in self._open if key not in kept and not self.known[key].asked_for]

    # -- facts ----------------------------------------------------------------------------------

    def peers_of(self, topic: bytes) -> list[Known]:
        """Who was found for a topic."""
        return list(self._members.get(topic, {}).values())

    def connected(self, topic: bytes) -> int:
        """How many of them are connected."""
        return sum(peer.state == "open" for peer in self._members.get(topic, {}).values())
