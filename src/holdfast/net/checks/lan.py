"""Whether peers on the same network can be found: does multicast leave and reach this machine?

A datagram goes to a group of our own through each network that this machine is on, with a reach of
that network only, and must come back to a member of the group on this same machine. That shows that
multicast works here; whether the access point hands it on, only another machine can tell.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import NamedTuple

from holdfast.net.checks.finding import Finding, error, good, note, warning

GROUP = "239.255.72.70"
"""A group for local use (RFC 2365), beside that of mDNS, where other programs would listen."""
MDNS_PORT = 5353
PATIENCE = 0.5
"""Seconds for a datagram to come back to the machine that sent it."""

_REMEDY = (
    "Allow multicast (mDNS, UDP port 5353) in this machine's firewall and, on Wi-Fi, turn off "
    "client isolation; addresses in links and a DHT of your own work without it."
)


class Interface(NamedTuple):
    """A network that this machine is on."""

    name: str
    host: str


def interfaces() -> list[Interface]:
    """The IPv4 networks of this machine, loopback left out."""
    import ifaddr

    return [
        Interface(adapter.nice_name, each.ip)
        for adapter in ifaddr.get_adapters()
        for each in adapter.ips
        if isinstance(each.ip, str) and not each.ip.startswith("127.")
    ]


async def check_lan(networks: list[Interface] | None = None) -> list[Finding]:
    """One finding: multicast works on all networks, on some, on none; or there is no network."""
    networks = interfaces() if networks is None else networks
    if not networks:
        return [
            note(
                "lan",
                "This machine is on no network, only on itself.",
                "Nothing, unless it should be on one.",
                networks=[],
            )
        ]
    reached = [each for each in networks if await _comes_back(each.host)]
    facts = {
        "networks": [each.host for each in networks],
        "multicast": [each.host for each in reached],
        "mdns_port": _mdns_port_is_free(),
    }
    shown = ", ".join(f"{each.host} ({each.name})" for each in networks)
    if not reached:
        sentence = f"Multicast does not work on any network of this machine: {shown}."
        return [warning("lan", sentence, _REMEDY, **facts)]
    if not facts["mdns_port"]:
        sentence = "Another program keeps UDP port 5353 (mDNS) to itself."
        remedy = "Let it share the port, or peers on this network are found by address only."
        return [error("lan", sentence, remedy, **facts)]
    if len(reached) < len(networks):
        missing = ", ".join(each.host for each in networks if each not in reached)
        sentence = f"Multicast works, but not on {missing}."
        return [note("lan", sentence, _REMEDY, **facts)]
    return [good("lan", f"Multicast works on {shown}.", **facts)]


async def _comes_back(host: str) -> bool:
    loop = asyncio.get_running_loop()
    word = os.urandom(16)
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            member.setblocking(False)
            sender.setblocking(False)
            member.bind(("", 0))
            both = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(host))
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, both)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            await loop.sock_sendto(sender, word, (GROUP, member.getsockname()[1]))
            async with asyncio.timeout(PATIENCE):
                while await loop.sock_recv(member, 64) != word:
                    pass
    except (OSError, TimeoutError):
        return False
    return True


def _mdns_port_is_free() -> bool:
    """Whether the port of mDNS can be shared, as every mDNS program is supposed to let us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind(("", MDNS_PORT))
        except OSError:
            return False
    return True
