"""The numbers of this machine in its own networks, for peers in the same ones."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

from holdfast.net.address import Address, is_unspecified, reachable_hosts

FRESH = 10.0
"""Seconds that a list is used again: asking takes 50 µs, and networks change rarely."""
MOST = 8
"""Addresses told to a peer: the first ones of a machine with many virtual networks."""
_SIOCGIFADDR = 0x8915
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
        found = _interfaces() if sys.platform == "linux" else reachable_hosts("0.0.0.0")
        outside = [each for each in found if not each.startswith("127.")]
        _seen = now, (outside or ["127.0.0.1"])[:MOST]
    return _seen[1]


def _interfaces() -> list[str]:
    """The IPv4 number of each interface (netdevice(7))."""
    import fcntl

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asker, _SIOCGIFADDR, request)
            except OSError:
                continue  # without an IPv4 number
            found.append(socket.inet_ntoa(answer[20:24]))
    return found
