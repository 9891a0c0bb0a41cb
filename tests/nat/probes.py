"""Finds out with plain UDP sockets what kind of NAT a site is behind."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from tests.support.netlab import Host, Site, Tier


def mappings(site: Site, servers: Sequence[Host]) -> list[tuple[str, int]]:
    """One socket writes to two ports of every server: where each saw it come from."""
    seen = []
    with site.host.udp() as client:
        for server in servers:
            for _ in range(2):
                with server.udp() as here:
                    client.sendto(b"who am I", (server.address, here.getsockname()[1]))
                    with contextlib.suppress(TimeoutError):
                        seen.append(here.recvfrom(100)[1])
    return seen


def reaches(sender: socket.socket, address: tuple[str, int], receiver: socket.socket) -> bool:
    """Whether a datagram from one socket arrives at the other."""
    sender.sendto(b"are you there", address)
    try:
        return receiver.recvfrom(100)[0] == b"are you there"
    except TimeoutError:
        return False


def classify(site: Site, servers: Sequence[Host], stranger: Host) -> Tier:
    """The tier, as measured: who has been written to may answer, in all but the blocked one."""
    seen = mappings(site, servers)
    if not seen:
        return Tier.BLOCKED
    with site.host.udp() as client, servers[0].udp() as friend, stranger.udp() as other:
        client.sendto(b"hello", (servers[0].address, friend.getsockname()[1]))
        mapped = friend.recvfrom(100)[1]
        assert reaches(friend, mapped, client)
        open_to_all = reaches(other, mapped, client)
    if open_to_all:
        return Tier.OPEN
    return Tier.MODERATE if len(set(seen)) == 1 else Tier.STRICT
