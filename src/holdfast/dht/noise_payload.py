"""What two peers tell each other inside the handshake: how to be reached, and which stream it is.

Nobody but the other peer can read it (the first message of it could be replayed, not read).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast.dht.ipv4 import (
    ADDRESS_BYTES,
    decode_address,
    decode_addresses,
    encode_address,
    encode_addresses,
)
from holdfast.dht.nat import Address, Firewall, as_firewall
from holdfast.encoding import (
    Buffer,
    decode_count,
    decode_fixed,
    decode_uint,
    encode_uint,
)

VERSION = 1
_HOLEPUNCH, _ADDRESSES4, _ADDRESSES6, _UDX, _SECRET_STREAM, _THROUGH, _RELAYS = (
    1 << bit for bit in range(7)
)
_ADDRESS6_BYTES = 18


class Relay(NamedTuple):
    """A node that carries words to a server: its address, and where it sees the server."""

    relay_address: Address
    peer_address: Address


class HolepunchInfo(NamedTuple):
    """How to talk with a server about hole punching."""

    id: int
    relays: list[Relay]


class UdxInfo(NamedTuple):
    """The stream on which a peer waits."""

    id: int
    sequence: int = 0
    reusable_socket: bool = False


class RelayThrough(NamedTuple):
    """A peer that relays the stream itself, and the token that pairs the two ends there."""

    public_key: bytes
    token: bytes


@dataclass(frozen=True, slots=True)
class NoisePayload:
    """The payload of either handshake message."""

    version: int = VERSION
    error: int = 0
    firewall: Firewall = Firewall.UNKNOWN
    holepunch: HolepunchInfo | None = None
    addresses: list[Address] = field(default_factory=list)
    """Where the sender can be reached: its public address when it is open, and its local ones."""
    udx: UdxInfo | None = None
    secret_stream: bool = True
    relay_through: RelayThrough | None = None
    relay_addresses: list[Address] | None = None
    """DHT nodes that forward handshakes to the sender: for the next time."""

    def encode(self) -> bytes:
        """The bytes of it."""
        parts = [encode_uint(VERSION), encode_uint(self._flags())]
        parts += [encode_uint(self.error), encode_uint(self.firewall)]
        if self.holepunch is not None:
            parts.append(_encode_holepunch(self.holepunch))
        if self.addresses:
            parts.append(encode_addresses(self.addresses))
        if self.udx is not None:
            features = 1 if self.udx.reusable_socket else 0
            numbers = (1, features, self.udx.id, self.udx.sequence)
            parts += [encode_uint(number) for number in numbers]
        if self.secret_stream:
            parts.append(encode_uint(1))
        if self.relay_through is not None:
            parts.append(b"\x01\x00" + self.relay_through.public_key + self.relay_through.token)
        if self.relay_addresses is not None:
            parts.append(encode_addresses(self.relay_addresses))
        return b"".join(parts)

    def _flags(self) -> int:
        return (
            (_HOLEPUNCH if self.holepunch is not None else 0)
            | (_ADDRESSES4 if self.addresses else 0)
            | (_UDX if self.udx is not None else 0)
            | (_SECRET_STREAM if self.secret_stream else 0)
            | (_THROUGH if self.relay_through is not None else 0)
            | (_RELAYS if self.relay_addresses is not None else 0)
        )

    @classmethod
    def decode(cls, data: Buffer) -> NoisePayload:
        """Read it; of another version only the number. DecodeError when it is none."""
        version, at = decode_uint(data, 0)
        if version != VERSION:
            return cls(version=version, secret_stream=False)
        flags, at = decode_uint(data, at)
        error, at = decode_uint(data, at)
        firewall, at = decode_uint(data, at)
        holepunch, udx, through, relays = None, None, None, None
        addresses: list[Address] = []
        if flags & _HOLEPUNCH:
            holepunch, at = _decode_holepunch(data, at)
        if flags & _ADDRESSES4:
            addresses, at = decode_addresses(data, at)
        if flags & _ADDRESSES6:
            at = _skip_addresses6(data, at)
        if flags & _UDX:
            udx, at = _decode_udx(data, at)
        if flags & _SECRET_STREAM:
            _, at = decode_uint(data, at)
        if flags & _THROUGH:
            through, at = _decode_through(data, at)
        if flags & _RELAYS:
            relays, at = decode_addresses(data, at)
        return cls(
            error=error,
            firewall=as_firewall(firewall),
            holepunch=holepunch,
            addresses=addresses,
            udx=udx,
            secret_stream=bool(flags & _SECRET_STREAM),
            relay_through=through,
            relay_addresses=relays,
        )


def _encode_holepunch(info: HolepunchInfo) -> bytes:
    pairs = [encode_address(address) for relay in info.relays for address in relay]
    return b"".join((encode_uint(info.id), encode_uint(len(info.relays)), *pairs))


def _decode_holepunch(data: Buffer, at: int) -> tuple[HolepunchInfo, int]:
    number, at = decode_uint(data, at)
    count, at = decode_count(data, at, 2 * ADDRESS_BYTES)
    relays = []
    for _ in range(count):
        relay_address, at = decode_address(data, at)
        peer_address, at = decode_address(data, at)
        relays.append(Relay(relay_address, peer_address))
    return HolepunchInfo(number, relays), at


def _decode_udx(data: Buffer, at: int) -> tuple[UdxInfo, int]:
    _, at = decode_uint(data, at)
    features, at = decode_uint(data, at)
    number, at = decode_uint(data, at)
    sequence, at = decode_uint(data, at)
    return UdxInfo(number, sequence, bool(features & 1)), at


def _skip_addresses6(data: Buffer, at: int) -> int:
    """IPv6 addresses are announced by nobody yet: passed over."""
    count, at = decode_count(data, at, _ADDRESS6_BYTES)
    return at + count * _ADDRESS6_BYTES


def _decode_through(data: Buffer, at: int) -> tuple[RelayThrough, int]:
    _, at = decode_uint(data, at)
    _, at = decode_uint(data, at)
    public_key, at = decode_fixed(data, at, 32)
    token, at = decode_fixed(data, at, 32)
    return RelayThrough(bytes(public_key), bytes(token)), at
