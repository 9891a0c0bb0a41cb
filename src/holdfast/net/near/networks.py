"""Which networks this machine is on."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Networks = Sequence[ipaddress.IPv4Interface]
"""Our own address on each network this machine is on, with the network's size."""


def own_networks() -> Networks:
    """The IPv4 networks this machine is on, loopback left out."""
    import ifaddr

    found = [
        ipaddress.IPv4Interface(f"{each.ip}/{each.network_prefix}")
        for adapter in ifaddr.get_adapters()
        for each in adapter.ips
        if each.is_IPv4
    ]
    return [each for each in found if not each.is_loopback]
