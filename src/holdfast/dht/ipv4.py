"""IPv4 addresses as the messages of the DHT carry them: four bytes and a port, little-endian."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.dht.nat import Address
from holdfast.encoding import Buffer, decode_count, decode_fixed, encode_uint

ADDRESS_BYTES = 6


def encode_address(address: Address) -> bytes:
    """Six bytes; ValueError for what is not a dotted IPv4 host and a port."""
    host, port = address
    numbers = [int(part) for part in host.split(".")]
    if len(numbers) != 4:
        raise ValueError(f"{host!r} is not an IPv4 host")
    return bytes(numbers) + port.to_bytes(2, "little")


def decode_address(buffer: Buffer, position: int) -> tuple[Address, int]:
    """An address; port 0 (only the host is known) is for the caller to judge."""
    raw, end = decode_fixed(buffer, position, ADDRESS_BYTES)
    a, b, c, d, low, high = raw
    return (f"{a}.{b}.{c}.{d}", low | high << 8), end


def encode_addresses(addresses: Iterable[Address]) -> bytes:
    """A count and so many addresses."""
    encoded = [encode_address(address) for address in addresses]
    return b"".join((encode_uint(len(encoded)), *encoded))


def decode_addresses(buffer: Buffer, position: int) -> tuple[list[Address], int]:
    """A list of addresses, refused when the message is too short to hold it."""
    count, position = decode_count(buffer, position, ADDRESS_BYTES)
    addresses = []
    for _ in range(count):
        address, position = decode_address(buffer, position)
        addresses.append(address)
    return addresses, position


def is_usable(address: Address) -> bool:
    """Whether a packet can be sent there at all."""
    host, port = address
    first = int(host.partition(".")[0])
    return port > 0 and 0 < first < 224


def is_private(host: str) -> bool:
    """Whether a host is reached from its own network or machine only (RFC 1918, 6598, 3927)."""
    a, b, *_ = (int(part) for part in host.split("."))
    return (
        a in (10, 127)
        or (a == 100 and 64 <= b <= 127)
        or (a == 169 and b == 254)
        or (a == 172 and 16 <= b <= 31)
        or (a == 192 and b == 168)
    )


def nearest(ours: Iterable[Address], theirs: Iterable[Address]) -> Address | None:
    """Of their addresses the one that shares the longest run of leading numbers with one of ours.

    None when none shares even the first number.
    """
    best: tuple[int, Address | None] = (0, None)
    others = list(theirs)
    for host, _ in ours:
        for address in others:
            shared = _shared(host, address[0])
            if shared > best[0]:
                best = shared, address
    return best[1]


def _shared(one: str, two: str) -> int:
    """How many of the first three numbers of two hosts are the same."""
    count = 0
    for a, b in zip(one.split(".")[:3], two.split(".")[:3], strict=True):
        if a != b:
            break
        count += 1
    return count
