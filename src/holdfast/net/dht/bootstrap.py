"""Where to begin in the DHT: bootstrap nodes as people write them, and as numbers."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from holdfast.errors import AddressError
from holdfast.net.address import Address, parse_address

RESOLVE_TIMEOUT = 10.0
"""Seconds for one name: resolvers themselves ask again after five."""
MOST_NUMBERS = 8
"""Addresses taken of one name."""


class Bootstrap(NamedTuple):
    """The bootstrap nodes of one network."""

    numbers: list[tuple[str, int]]
    """Where they are."""
    unknown: list[str]
    """Names of which no resolver knows an IPv4 address."""


def parse_bootstrap(given: Iterable[Address | tuple[str, int] | str]) -> list[Address]:
    """Read ``HOST:PORT`` items; ``NUMBER@NAME:PORT`` (as the peers write them) gives two.

    Raises `AddressError`.
    """
    parsed: list[Address] = []
    for item in given:
        if not isinstance(item, str):
            parsed.append(Address(*item))
            continue
        number, at, named = item.rpartition("@")
        address = parse_address(named)
        if at:
            parsed.append(Address(number, address.port))
        parsed.append(address)
    for address in parsed:
        if not 0 < address.port < 65536:
            raise AddressError(f"{address} is not a bootstrap node: it needs a port.")
        if ":" in address.host:
            raise AddressError(f"{address} is not a bootstrap node: the DHT speaks IPv4 only.")
    return parsed


async def resolve_bootstrap(nodes: Sequence[Address]) -> Bootstrap:
    """Look the names up, all at the same time."""
    answers = await asyncio.gather(*(_resolve(node) for node in nodes))
    numbers = [
        (host, node.port) for node, hosts in zip(nodes, answers, strict=True) for host in hosts
    ]
    unknown = [node.host for node, hosts in zip(nodes, answers, strict=True) if not hosts]
    return Bootstrap(list(dict.fromkeys(numbers)), unknown)


async def _resolve(node: Address) -> list[str]:
    if is_ipv4(node.host):
        return [node.host]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(
                node.host, node.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
            )
    except (OSError, TimeoutError, UnicodeError):
        return []
    return [str(each[4][0]) for each in found[:MOST_NUMBERS]]


def is_ipv4(host: str) -> bool:
    """Whether a host is an IPv4 number."""
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
