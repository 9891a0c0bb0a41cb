"""Small signed records that say where somebody is to be found, for a while.

A record is what the DHT calls a mutable value: bytes with a sequence number, signed by a key, that
anybody may hold and pass on. Ours carry the time at which they stop being true, so that nobody is
sent to a relay that was left long ago. Of two valid records of one key the higher number counts;
where the numbers are equal (two devices with one key), the greater bytes: whoever sees both, in
whatever order, ends with the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.crypto import KeyPair, blake2b, namespace, sign, verify
from holdfast.encoding import (
    Buffer,
    decode_buffer,
    decode_fixed,
    decode_uint,
    encode_buffer,
    encode_uint,
)
from holdfast.errors import DecodeError
from holdfast.net.relay_wire import Place, decode_places, encode_places

MAX_VALUE = 900
"""Bytes of a value: with everything around it, it fits into one datagram of the DHT."""
LIFETIME = 30 * 60.0
"""Seconds that a record is true: three times the pause between two publications."""
MAX_LIFETIME = 24 * 3600.0
"""A record that claims to be true for longer is not believed for longer."""

_MAGIC = b"HFR1"
_SIGNATURE_BYTES = 64
(_NS_MUTABLE_PUT,) = namespace("hyperswarm/dht", [6])


class Record(NamedTuple):
    """A signed value of somebody's."""

    seq: int
    value: bytes
    signature: bytes

    def encode(self) -> bytes:
        """As it travels: number, value, signature (the DHT's own layout)."""
        return b"".join((encode_uint(self.seq), encode_buffer(self.value), self.signature))


def decode_record(body: Buffer) -> Record:
    """Read a record; DecodeError when it is none. It still has to be verified."""
    seq, position = decode_uint(body, 0)
    value, position = decode_buffer(body, position)
    if len(value) > MAX_VALUE:
        raise DecodeError("A record is larger than a datagram holds.")
    signature, position = decode_fixed(body, position, _SIGNATURE_BYTES)
    if position != len(body):
        raise DecodeError("A record is followed by something else.")
    return Record(seq, bytes(value), bytes(signature))


def _signable(seq: int, value: bytes) -> bytes:
    return _NS_MUTABLE_PUT + blake2b(encode_uint(seq) + encode_buffer(value))


def sign_record(key_pair: KeyPair, seq: int, value: bytes) -> Record:
    """A record that everybody accepts as the key holder's."""
    return Record(seq, value, sign(_signable(seq, value), key_pair.secret_key))


def verified(record: Record, public_key: bytes) -> bool:
    """Whether the holder of this key has signed it."""
    return verify(_signable(record.seq, record.value), record.signature, public_key)


def newer(left: Record | None, right: Record | None) -> Record | None:
    """Of two verified records of one key the one that counts."""
    if left is None or right is None:
        return left or right
    return max(left, right, key=lambda record: (record.seq, record.value))


class Whereabouts(NamedTuple):
    """What our records say: the relays over which somebody is reached, until when."""

    expires: float
    """Seconds since 1970."""
    places: tuple[Place, ...]

    def at(self, now: float) -> tuple[Place, ...]:
        """The places, none once it has expired or when it claims to be true for ever."""
        return self.places if now < self.expires <= now + MAX_LIFETIME else ()


def encode_whereabouts(expires: float, places: Sequence[Place]) -> bytes:
    """The value of a record; names as many places as fit."""
    for count in range(len(places), -1, -1):
        value = _MAGIC + encode_uint(int(expires)) + encode_places(places[:count])
        if len(value) <= MAX_VALUE:
            return value
    raise AssertionError("no places fit always")


def decode_whereabouts(value: Buffer) -> Whereabouts:
    """Read the value of a record; DecodeError when it is about something else."""
    magic, position = decode_fixed(value, 0, len(_MAGIC))
    if magic != _MAGIC:
        raise DecodeError("A record says something else than where somebody is.")
    expires, position = decode_uint(value, position)
    places, _ = decode_places(value, position)
    return Whereabouts(float(expires), tuple(places))
