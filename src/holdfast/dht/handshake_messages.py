"""What relays see of two peers that want to connect: PEER_HANDSHAKE and PEER_HOLEPUNCH values.

Both carry something sealed from end to end, and addresses that the relays fill in on the way.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from holdfast.dht.ipv4 import decode_address, encode_address
from holdfast.dht.nat import Address
from holdfast.encoding import (
    Buffer,
    decode_buffer,
    decode_uint,
    encode_buffer,
    encode_uint,
)

PEER_HANDSHAKE = 0
"""Command of the DHT: carry a handshake to the peer with this key hash."""
PEER_HOLEPUNCH = 1
"""Command of the DHT: carry a word about hole punching to the peer with this key hash."""

_PEER, _RELAY = 1, 2


class Mode(IntEnum):
    """Who has sent a message on its way from client to server and back."""

    CLIENT = 0
    SERVER = 1
    RELAY = 2
    SECOND_RELAY = 3
    REPLY = 4


class PeerError(IntEnum):
    """What a peer says is wrong."""

    NONE = 0
    ABORTED = 1
    VERSION_MISMATCH = 2
    TRY_LATER = 3


class Handshake(NamedTuple):
    """The value of PEER_HANDSHAKE."""

    mode: int
    noise: bytes
    peer_address: Address | None = None
    """The client, as its relay sees it; in a reply the server."""
    relay_address: Address | None = None
    """The relay that the client has asked, when another one stands between it and the server."""

    def encode(self) -> bytes:
        """The bytes of it."""
        flags = (_PEER if self.peer_address else 0) | (_RELAY if self.relay_address else 0)
        return b"".join(
            (
                encode_uint(flags),
                encode_uint(self.mode),
                encode_buffer(self.noise),
                encode_address(self.peer_address) if self.peer_address else b"",
                encode_address(self.relay_address) if self.relay_address else b"",
            )
        )

    @classmethod
    def decode(cls, data: Buffer) -> Handshake:
        """Read it; DecodeError when it is none."""
        flags, at = decode_uint(data, 0)
        mode, at = decode_uint(data, at)
        noise, at = decode_buffer(data, at)
        peer_address = relay_address = None
        if flags & _PEER:
            peer_address, at = decode_address(data, at)
        if flags & _RELAY:
            relay_address, at = decode_address(data, at)
        return cls(mode, bytes(noise), peer_address, relay_address)


class Holepunch(NamedTuple):
    """The value of PEER_HOLEPUNCH."""

    mode: int
    id: int
    """The number under which the server keeps the handshake that this belongs to."""
    payload: bytes
    peer_address: Address | None = None

    def encode(self) -> bytes:
        """The bytes of it."""
        return b"".join(
            (
                encode_uint(_PEER if self.peer_address else 0),
                encode_uint(self.mode),
                encode_uint(self.id),
                encode_buffer(self.payload),
                encode_address(self.peer_address) if self.peer_address else b"",
            )
        )

    @classmethod
    def decode(cls, data: Buffer) -> Holepunch:
        """Read it; DecodeError when it is none."""
        flags, at = decode_uint(data, 0)
        mode, at = decode_uint(data, at)
        number, at = decode_uint(data, at)
        payload, at = decode_buffer(data, at)
        peer_address = None
        if flags & _PEER:
            peer_address, at = decode_address(data, at)
        return cls(mode, number, bytes(payload), peer_address)
