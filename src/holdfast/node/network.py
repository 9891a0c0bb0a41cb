"""How a node finds others: what may be used for it, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """Ways to be found and to find, beside addresses in links. The default: whoever is near."""

    bootstrap: tuple[str, ...] = ()
    """``HOST:PORT`` of DHT nodes to begin with: the community's own. None: no DHT is used."""
    relays: tuple[str, ...] = ()
    """``HOST:PORT`` or ``ws://…`` of relays to try first where nothing can come in."""
    lan: bool = True
    """Whether to find and be found on the same network (mDNS)."""
    machine: bool = True
    """Whether to find and be found by other nodes of this user on this machine."""
    udp: str = "0.0.0.0:0"
    """Where the DHT's socket is bound; port 0: the one of last time, or any."""


NOWHERE = Network(lan=False, machine=False)
"""Only addresses that are given."""
