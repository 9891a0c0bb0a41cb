"""How many strangers may knock at once: limits on unfinished handshakes and on connections.

A handshake costs four scalar multiplications (about 0.3 ms), a descriptor and some 20 KB, so a
flood of them must not keep honest peers out: each source address has its own small share, and where
a share is used up, the listener gives up the handshake that has taken longest.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one listener or node. Each number says what it protects."""

    handshakes: int = 256
    """Unfinished incoming handshakes in all: bounds the work a flood can queue."""
    handshakes_per_source: int = 8
    """Unfinished incoming handshakes from one source: one flooder leaves room for others."""
    connections: int = 512
    """Open connections in all: half of the usual limit of 1024 file descriptors."""
    connections_per_source: int = 128
    """Open incoming connections from one source (a home or office shares one address)."""


def source_of(host: str) -> str:
    """One source: an IPv4 number, or the /64 that one IPv6 customer owns (RFC 6177)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


class Gate:
    """Counts who is inside. Every `enter` that answers True must be matched by one `leave`."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._handshakes: Counter[str] = Counter()
        self._connections: Counter[str] = Counter()
        self.refused = 0
        """Connections turned away since the start."""

    @property
    def handshakes(self) -> int:
        """Unfinished handshakes now."""
        return self._handshakes.total()

    @property
    def connections(self) -> int:
        """Connections now, unfinished handshakes included."""
        return self._connections.total()

    def is_full(self, source: str) -> bool:
        """Whether one of the limits keeps a stranger from this source out."""
        return (
            self.handshakes >= self.limits.handshakes
            or self.connections >= self.limits.connections
            or self._connections[source] >= self.limits.connections_per_source
            or self.is_crowded(source)
        )

    def is_crowded(self, source: str) -> bool:
        """Whether a source has as many unfinished handshakes as it may."""
        return self._handshakes[source] >= self.limits.handshakes_per_source

    def enter(self, source: str) -> bool:
        """A stranger knocks: True and counted, or False when one of the limits is reached."""
        if self.is_full(source):
            self.refused += 1
            return False
        self._handshakes[source] += 1
        self._connections[source] += 1
        return True

    def settled(self, source: str) -> None:
        """A handshake is finished, well or not; it no longer counts as one."""
        _take(self._handshakes, source)

    def leave(self, source: str) -> None:
        """A connection is gone."""
        _take(self._connections, source)


def _take(counter: Counter[str], source: str) -> None:
    counter[source] -= 1
    if counter[source] <= 0:
        del counter[source]
