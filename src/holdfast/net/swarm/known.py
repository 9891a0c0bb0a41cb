"""One peer as a swarm knows it, and the bounds on a swarm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from holdfast.net.address import Address
from holdfast.net.swarm.backoff import Backoff
from holdfast.net.swarm.candidate import MAX_ADDRESSES, Candidate

State = Literal["idle", "dialling", "open"]


@dataclass(frozen=True, slots=True)
class SwarmLimits:
    """Bounds on one swarm. Each number says what it protects."""

    max_peers: int = 64
    """Connections at which a swarm dials no more on its own (hyperswarm's number)."""
    max_connections: int = 512
    """Connections in all, incoming ones included: half of the usual 1024 file descriptors."""
    parallel: int = 8
    """Dials at once: peers that are gone take seconds each, and home routers have small tables."""
    max_known: int = 4096
    """Peers remembered that are not connected: a liar can invent keys for ever."""
    max_known_per_topic: int = 1024
    """The share of one topic, so that a flooded one leaves room for others."""
    dial_time: float = 75.0
    """Seconds for all ways to one peer together: a hole in the worst of NATs takes 40 of them."""


@dataclass(slots=True)
class Known:
    """One peer: where it may be, how the last dials went, and why it is of interest."""

    key: bytes
    topics: set[bytes] = field(default_factory=set)
    asked_for: bool = False
    """Wanted by its key, whatever the limits say."""
    state: State = "idle"
    due: float | None = 0.0
    """When to dial next; None: not before there is a new sign of life."""
    backoff: Backoff = field(default_factory=Backoff)
    learnt: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    """TCP addresses by rung."""
    via: str = ""
    """The rung on which it was last reached."""
    nodes: tuple[Address, ...] = ()
    """DHT nodes that pass handshakes on to it."""

    def learn(self, candidate: Candidate) -> bool:
        """Add what a finder knows, the newest first; False when all of it was known."""
        before = (self.learnt.get(candidate.rung, ()), self.nodes)
        known = self.learnt.get(candidate.rung, ())
        if candidate.addresses:
            self.learnt[candidate.rung] = _merged(candidate.addresses, known)
        self.nodes = _merged(candidate.relay_addresses, self.nodes)
        return before != (self.learnt.get(candidate.rung, ()), self.nodes)


def _merged(new: tuple[Address, ...], old: tuple[Address, ...]) -> tuple[Address, ...]:
    return tuple(dict.fromkeys((*new, *old)))[:MAX_ADDRESSES]
