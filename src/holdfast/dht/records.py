"""What is stored in the network, as bytes: announcements, lookup answers, mutable records.

Every signature covers a namespace of its own, so that none can be used for another purpose. That of
an announcement also covers the node and the token it is for: nobody can repeat it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from holdfast.crypto import KeyPair, blake2b, blake2b_parts, namespace, sign, verify
from holdfast.dht.commands import ANNOUNCE, MUTABLE_PUT, UNANNOUNCE
from holdfast.dht.ipv4 import decode_addresses, encode_addresses
from holdfast.dht.nat import Address
from holdfast.encoding import (
    Buffer,
    decode_buffer,
    decode_count,
    decode_fixed,
    decode_uint,
    encode_buffer,
    encode_uint,
)

NS_ANNOUNCE, NS_UNANNOUNCE, NS_MUTABLE = namespace(
    "hyperswarm/dht", [ANNOUNCE, UNANNOUNCE, MUTABLE_PUT]
)

MOST_RELAYS = 3
"""Addresses kept of one announcement, as in the peers."""
_PEER, _REFRESH, _SIGNATURE, _BUMP = 1, 2, 4, 8
_SMALLEST_PEER = 33


class Peer(NamedTuple):
    """Somebody found under a topic: its key, and nodes through which it can be called."""

    public_key: bytes
    relay_addresses: tuple[Address, ...] = ()

    def encode(self) -> bytes:
        """The record as it is stored."""
        return self.public_key + encode_addresses(self.relay_addresses)

    @classmethod
    def decode(cls, data: Buffer, position: int = 0) -> tuple[Peer, int]:
        """Read one; DecodeError when it is none."""
        key, at = decode_fixed(data, position, 32)
        addresses, at = decode_addresses(data, at)
        return cls(bytes(key), tuple(addresses)), at


class Announce(NamedTuple):
    """The value of ANNOUNCE and UNANNOUNCE."""

    peer: Peer | None
    refresh: bytes | None = None
    """A hash: who knows what it is the hash of may renew the record without a signature."""
    signature: bytes | None = None
    bump: int = 0
    """When the announcer last wanted to be noticed, in milliseconds of its clock; 0: not."""

    def encode(self) -> bytes:
        """The bytes of it."""
        flags = (
            (_PEER if self.peer else 0)
            | (_REFRESH if self.refresh else 0)
            | (_SIGNATURE if self.signature else 0)
            | (_BUMP if self.bump else 0)
        )
        return b"".join(
            (
                encode_uint(flags),
                self.peer.encode() if self.peer else b"",
                self.refresh or b"",
                self.signature or b"",
                encode_uint(self.bump) if self.bump else b"",
            )
        )

    @classmethod
    def decode(cls, data: Buffer) -> Announce:
        """Read one; DecodeError when it is none."""
        flags, at = decode_uint(data, 0)
        peer: Peer | None = None
        refresh: Buffer = b""
        signature: Buffer = b""
        bump = 0
        if flags & _PEER:
            peer, at = Peer.decode(data, at)
        if flags & _REFRESH:
            refresh, at = decode_fixed(data, at, 32)
        if flags & _SIGNATURE:
            signature, at = decode_fixed(data, at, 64)
        if flags & _BUMP:
            bump, at = decode_uint(data, at)
        return cls(peer, bytes(refresh) or None, bytes(signature) or None, bump)

    def signable(self, space: bytes, target: bytes, token: bytes, node_id: bytes) -> bytes:
        """What is signed: for this target, at this node, with the token it gave us."""
        peer = self.peer.encode() if self.peer else b""
        return space + blake2b_parts(target, node_id, token, peer, self.refresh or b"")

    def sign(
        self, keys: KeyPair, space: bytes, target: bytes, token: bytes, node_id: bytes
    ) -> Announce:
        """The same with its signature."""
        signature = sign(self.signable(space, target, token, node_id), keys.secret_key)
        return self._replace(signature=signature)

    def is_signed(self, space: bytes, target: bytes, token: bytes, node_id: bytes) -> bool:
        """Whether the peer it names has signed it."""
        if self.peer is None or self.signature is None:
            return False
        signable = self.signable(space, target, token, node_id)
        return verify(signable, self.signature, self.peer.public_key)


def encode_peers(records: Sequence[bytes], bump: int = 0) -> bytes:
    """The answer to LOOKUP."""
    return b"".join((encode_uint(len(records)), *records, encode_uint(bump)))


def decode_peers(data: Buffer) -> list[Peer]:
    """Read the answer to LOOKUP; DecodeError when it is none."""
    count, at = decode_count(data, 0, _SMALLEST_PEER)
    peers = []
    for _ in range(count):
        peer, at = Peer.decode(data, at)
        peers.append(peer)
    return peers


class Mutable(NamedTuple):
    """A record that its owner can replace by one with a higher number."""

    seq: int
    value: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The answer to MUTABLE_GET."""
        return encode_uint(self.seq) + encode_buffer(self.value) + self.signature

    @classmethod
    def decode(cls, data: Buffer, position: int = 0) -> Mutable:
        """Read one; DecodeError when it is none."""
        seq, at = decode_uint(data, position)
        value, at = decode_buffer(data, at)
        signature, _ = decode_fixed(data, at, 64)
        return cls(seq, bytes(value), bytes(signature))

    @classmethod
    def make(cls, keys: KeyPair, value: bytes, seq: int) -> Mutable:
        """Sign one."""
        return cls(seq, value, sign(_mutable_signable(seq, value), keys.secret_key))

    def is_signed_by(self, public_key: Buffer) -> bool:
        """Whether the owner of the key has written it."""
        return verify(_mutable_signable(self.seq, self.value), self.signature, public_key)


def _mutable_signable(seq: int, value: bytes) -> bytes:
    return NS_MUTABLE + blake2b(encode_uint(seq) + encode_buffer(value))


class MutablePut(NamedTuple):
    """The value of MUTABLE_PUT."""

    public_key: bytes
    record: Mutable

    def encode(self) -> bytes:
        """The bytes of it."""
        return self.public_key + self.record.encode()

    @classmethod
    def decode(cls, data: Buffer) -> MutablePut:
        """Read one; DecodeError when it is none."""
        key, at = decode_fixed(data, 0, 32)
        return cls(bytes(key), Mutable.decode(data, at))


def usable_relays(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """As many addresses as are kept of one announcement."""
    return tuple(addresses)[:MOST_RELAYS]
