"""What is shared by the two ways of being found nearby: this machine and this network."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from holdfast.crypto import blake2b_parts
from holdfast.net.address import Address, is_unspecified

TAG_BYTES = 12
"""Enough that nobody meets a topic by accident or hits a given one by trying; many fit a packet."""

Addresses = Callable[[], Iterable[Address]]
"""The TCP addresses that a node listens on now, as bound: ``0.0.0.0`` is every interface."""


def tag(place: bytes, public_key: bytes, topic: bytes) -> bytes:
    """What a node shows instead of a topic.

    Whoever knows the topic can check it; whoever does not learns neither the topic nor whether two
    nodes have the same one.
    """
    return blake2b_parts(place, public_key, topic)[:TAG_BYTES]


def is_loopback(host: str) -> bool:
    """Whether a number leads back to the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def on_this_machine(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Where to dial on the machine itself what listens on these addresses; loopback first."""
    found = [
        Address("::1" if ":" in each.host else "127.0.0.1", each.port)
        if is_unspecified(each.host)
        else each
        for each in addresses
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda each: not is_loopback(each.host)))
