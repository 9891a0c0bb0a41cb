"""What a node says of itself on the local network, as mDNS services, and what is made of others'.

Pure functions. A node has one service of our type for every `TAGS_PER_SERVICE` topics; its TXT
record holds the node's public key and a tag for each topic (see `near.tag`), never a topic.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.crypto import blake2b_parts
from holdfast.net.address import Address, is_unspecified
from holdfast.net.near.networks import Networks
from holdfast.net.near.tags import TAG_BYTES, tag

SERVICE = "_holdfast._tcp.local."
PLACE = b"holdfast/lan"

VERSION = b"1"
TAGS_PER_STRING = 20
"""Tags in one string of a TXT record, which has at most 255 bytes."""
STRINGS = 4
TAGS_PER_SERVICE = TAGS_PER_STRING * STRINGS
"""With the records around it such a service still fits one packet of 1,460 bytes."""
MAX_SERVICES = 12
"""Services of one node, so about a thousand topics; what is beyond is not announced here."""

MAX_HOSTS = 4
"""Addresses of one node that are given and taken: a machine has few on one network."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What somebody on the network says of themselves. Nothing but the key can be proven."""

    public_key: bytes
    addresses: tuple[Address, ...]
    tags: frozenset[bytes]

    def has(self, topic: bytes) -> bool:
        """Whether it says that it has this."""
        return tag(PLACE, self.public_key, topic) in self.tags


@dataclass(frozen=True, slots=True)
class Service:
    """One service to announce."""

    name: str
    port: int
    hosts: tuple[str, ...]
    properties: Mapping[bytes, bytes]

    @property
    def server(self) -> str:
        """The host name that its addresses stand under; not the machine's own name."""
        return self.name.removesuffix(SERVICE) + "local."


def services(
    public_key: bytes, topics: Iterable[bytes], addresses: Iterable[Address], networks: Networks
) -> dict[str, Service]:
    """What a node announces, by name. Nothing without topics or without an address to dial."""
    where = _reachable(addresses, networks)
    if where is None:
        return {}
    port, hosts = where
    tags = sorted(tag(PLACE, public_key, topic) for topic in topics)
    found = {}
    for number in range(min(-(-len(tags) // TAGS_PER_SERVICE), MAX_SERVICES)):
        some = tags[number * TAGS_PER_SERVICE : (number + 1) * TAGS_PER_SERVICE]
        properties = {b"v": VERSION, b"k": public_key}
        for at in range(0, len(some), TAGS_PER_STRING):
            properties[b"t%d" % (at // TAGS_PER_STRING)] = b"".join(some[at : at + TAGS_PER_STRING])
        name = f"{_name(public_key, number)}.{SERVICE}"
        found[name] = Service(name, port, hosts, properties)
    return found


def _name(public_key: bytes, number: int) -> str:
    """The same after a restart, so that the new addresses take the place of the old ones."""
    return blake2b_parts(PLACE, b"/name", public_key, bytes((number,)))[:8].hex()


def _reachable(
    addresses: Iterable[Address], networks: Networks
) -> tuple[int, tuple[str, ...]] | None:
    """One port and the numbers under which it can be dialled from these networks."""
    own = [str(each.ip) for each in networks]
    for address in addresses:
        hosts = own if is_unspecified(address.host) else [h for h in own if h == address.host]
        if hosts:
            return address.port, tuple(hosts[:MAX_HOSTS])
    return None


def neighbour(
    properties: Mapping[bytes, bytes | None],
    hosts: Iterable[str],
    port: int | None,
    networks: Networks,
) -> Neighbour | None:
    """What a service of somebody says; None when it is not of our kind or makes no sense.

    Only addresses on a network that this machine is on count: nobody out there can make us knock
    at the door of somebody far away, or at one of this machine's own.
    """
    key = properties.get(b"k") or b""
    if properties.get(b"v") != VERSION or len(key) != 32 or not port or not 0 < port < 65536:
        return None
    near = [host for host in hosts if _is_near(host, networks)][:MAX_HOSTS]
    if not near:
        return None
    tags: set[bytes] = set()
    for number in range(STRINGS):
        text = (properties.get(b"t%d" % number) or b"")[: TAGS_PER_STRING * TAG_BYTES]
        tags.update(text[at : at + TAG_BYTES] for at in range(0, len(text), TAG_BYTES))
    addresses = tuple(Address(host, port) for host in near)
    return Neighbour(key, addresses, frozenset(tags))


def _is_near(host: str, networks: Networks) -> bool:
    try:
        number = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return not number.is_loopback and any(
        number in each.network and number not in (each.network.broadcast_address,)
        for each in networks
    )
