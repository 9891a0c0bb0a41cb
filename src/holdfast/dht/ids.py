"""Where a node stands: its id is the hash of its address, and nearness is XOR (wire notes 4.10).

Addresses pass through the hot paths in two forms, ``(host, port)`` towards sockets and six bytes
towards packets; both ways are remembered, since a node talks to the same few hundred others.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from holdfast.crypto import blake2b
from holdfast.dht.ipv4 import ADDRESS_BYTES, decode_address, encode_address
from holdfast.dht.nat import Address

ID_BYTES = 32
ID_BITS = 8 * ID_BYTES

REMEMBERED = 4096
"""Addresses whose forms are remembered (about 1 MB in all): more than one lookup can touch."""

_LOOPBACK = 127
_MULTICAST = 224


@lru_cache(REMEMBERED)
def pack(address: Address) -> bytes:
    """The six bytes of an address; ValueError when the host is not a dotted IPv4 number."""
    return encode_address(address)


@lru_cache(REMEMBERED)
def unpack(packed: bytes) -> Address:
    """The address in six bytes."""
    return decode_address(packed, 0)[0]


@lru_cache(REMEMBERED)
def node_id(packed: bytes) -> bytes:
    """The id of the node at a packed address."""
    return blake2b(packed)


@lru_cache(REMEMBERED)
def node_key(packed: bytes) -> int:
    """The id of the node at a packed address as a number: distances are XORs of such."""
    return int.from_bytes(node_id(packed), "big")


def key_of(id32: bytes) -> int:
    """An id or a target as a number."""
    return int.from_bytes(id32, "big")


def is_sendable(packed: bytes) -> bool:
    """Whether a datagram can go there: a host of its own (no multicast, no nobody) and a port."""
    return 0 < packed[0] < _MULTICAST and packed[4:] != b"\x00\x00"


def may_name(teller: bytes, packed: bytes) -> bool:
    """Whether we follow when the node at ``teller`` names the one at ``packed``.

    Loopback is only for who is there itself: a stranger cannot make us talk to our own services.
    """
    first = packed[0]
    if first == _LOOPBACK and teller[0] != _LOOPBACK:
        return False
    return 0 < first < _MULTICAST and packed[4:] != b"\x00\x00"


def split(addresses: bytes) -> tuple[bytes, ...]:
    """The packed addresses that lie end to end in ``addresses``."""
    return _splitter(len(addresses) // ADDRESS_BYTES).unpack(addresses)


@lru_cache(64)
def _splitter(count: int) -> Struct:
    return Struct(f"{ADDRESS_BYTES}s" * count)
