"""What others see of us: our address as several nodes report it, and what kind of NAT that shows.

Every answer of the DHT says under which address the asker was seen. Two questions are put to these
samples: what is our address (`AddressSampler`, for the whole node), and does a NAT give one socket
the same outside port towards everybody (`NatSamples`, one for each socket that is to punch).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from enum import IntEnum

Address = tuple[str, int]
"""An IPv4 host in dotted form and a port."""

WINDOW = 16
"""Reports that count for our address: enough to outvote a few wrong ones, few enough to notice
within one refresh of the table that the address has changed."""

WANTED = 4
"""Reports about one socket after which its NAT is judged: the fewest that tell two ports by
accident (two of four differ) from a new port for everybody (all differ)."""


class Firewall(IntEnum):
    """How a socket is reached from outside; the numbers are those of the wire (notes 4.11)."""

    UNKNOWN = 0
    OPEN = 1
    """Anybody can send to it unasked."""
    CONSISTENT = 2
    """One outside port for everybody, but only who was written to may answer."""
    RANDOM = 3
    """Another outside port for each destination."""


def as_firewall(number: int) -> Firewall:
    """The class behind a number off the wire; what newer peers may invent counts as the worst."""
    return Firewall(number) if number <= Firewall.RANDOM else Firewall.RANDOM


class AddressSampler:
    """Our own address as the nodes we talk to report it; each of them has one vote."""

    def __init__(self) -> None:
        self._votes: OrderedDict[Address, Address] = OrderedDict()
        self.host: str | None = None
        """The host that nearly all agree on."""
        self.port = 0
        """The port that nearly all agree on; 0 when only the host is agreed."""

    def __len__(self) -> int:
        return len(self._votes)

    def add(self, seen_as: Address, source: Address) -> bool:
        """``source`` has seen us as ``seen_as``; returns whether what we believe has changed."""
        before = self.host, self.port
        self._votes.pop(source, None)
        self._votes[source] = seen_as
        if len(self._votes) > WINDOW:
            self._votes.popitem(last=False)
        self.host, self.port = self._agreed()
        return before != (self.host, self.port)

    def samples(self, *, firewalled: bool = True) -> NatSamples:
        """What these reports say about the NAT before the socket that all of them are about."""
        samples = NatSamples(firewalled=firewalled)
        for source, seen_as in self._votes.items():
            samples.add(seen_as, source)
        return samples

    def _agreed(self) -> tuple[str | None, int]:
        size = len(self._votes)
        needed = size - min(size // 4, 3)
        address, hits = Counter(self._votes.values()).most_common(1)[0]
        if hits >= needed:
            return address
        host, hits = Counter(host for host, _ in self._votes.values()).most_common(1)[0]
        return (host, 0) if hits >= needed else (None, 0)


class NatSamples:
    """What several nodes see of one socket, and the class of NAT that follows from it."""

    def __init__(self, *, firewalled: bool = True) -> None:
        """A node that is known not to be ``firewalled`` need not be asked about."""
        self._firewalled = firewalled
        self._seen: Counter[Address] = Counter()
        self._sources: set[Address] = set()
        self._frozen = False
        self._given_up = False
        self.firewall = Firewall.UNKNOWN if firewalled else Firewall.OPEN
        self.addresses: list[Address] | None = None
        """Where others may reach this socket, the likeliest first; only the host of the first
        counts when the NAT is RANDOM, and None means not known yet."""

    @property
    def settled(self) -> bool:
        """Whether more samples would tell nothing new, or none are to come."""
        return (
            self._given_up
            or self.firewall in (Firewall.OPEN, Firewall.CONSISTENT)
            or len(self._sources) >= WANTED
        )

    def add(self, seen_as: Address, source: Address) -> None:
        """``source`` has seen the socket as ``seen_as``; only its first word counts."""
        if source in self._sources or len(self._sources) >= WINDOW:
            return
        self._sources.add(source)
        self._seen[seen_as] += 1
        if not self._frozen:
            self._judge()

    def give_up(self) -> None:
        """Nobody else can be asked: decide with what there is."""
        self._given_up = True

    def freeze(self) -> None:
        """The verdict has been told to the other side: stick to it."""
        self._frozen = True

    def _judge(self) -> None:
        self.firewall = self._classify()
        ranked = [address for address, _ in self._seen.most_common()]
        if self.firewall == Firewall.RANDOM:
            hosts = Counter(host for host, _ in self._seen.elements())
            self.addresses = [(hosts.most_common(1)[0][0], 0)]
        elif self.firewall in (Firewall.CONSISTENT, Firewall.OPEN):
            agreed = [address for address in ranked if self._seen[address] >= 2]
            self.addresses = agreed if len(agreed) >= 2 else ranked[:2]
        else:
            self.addresses = None

    def _classify(self) -> Firewall:
        if not self._firewalled:
            return Firewall.OPEN
        total = len(self._sources)
        if total < 3:
            return Firewall.UNKNOWN
        hits = [count for _, count in self._seen.most_common(2)]
        if hits[0] >= 3:
            return Firewall.CONSISTENT
        if hits[0] == 1:
            return Firewall.RANDOM
        several_hosts = len({host for host, _ in self._seen}) > 1
        if several_hosts and len(hits) > 1 and hits[1] > 1:
            return Firewall.CONSISTENT  # two uplinks, each with one port for everybody
        if total > WANTED or (total == WANTED and not several_hosts):
            return Firewall.RANDOM
        return Firewall.UNKNOWN
