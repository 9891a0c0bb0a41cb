"""The numbers of this machine in its own networks, for peers in the same ones."""

from __future__ import annotations

import asyncio

from holdfast.net.address import Address, is_unspecified
from holdfast.net.near.networks import own_networks

FRESH = 10.0
"""Seconds that a list is used again: asking takes 0.6 ms, and networks change rarely."""
MOST = 8
"""Addresses told to a peer: the first ones of a machine with many virtual networks."""
_seen: tuple[float, list[str]] = (-FRESH, [])


def local_addresses(host: str, port: int) -> list[Address]:
    """Where a socket bound to ``host`` can be reached from this machine's own networks."""
    if not is_unspecified(host):
        return [Address(host, port)]
    return [Address(each, port) for each in _hosts()]


def _hosts() -> list[str]:
    global _seen
    now = asyncio.get_running_loop().time()
    if now - _seen[0] >= FRESH:
        outside = [str(each.ip) for each in own_networks()]
        _seen = now, (outside or ["127.0.0.1"])[:MOST]
    return _seen[1]
