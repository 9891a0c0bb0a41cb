"""Small signed records that say over which relays somebody is reached, for a while.

A record is a mutable value of the DHT: bytes with a sequence number, signed by a key, that anybody
may hold and pass on. Ours carry the time at which they stop being true, so that nobody is sent to a
relay that was left long ago. Of two valid records of one key the higher number counts; where the
numbers are equal (two devices with one key) the greater bytes: whoever sees both, in whatever
order, ends with the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.crypto import KeyPair
from holdfast.dht.records import Mutable
from holdfast.encoding import Buffer, decode_fixed, decode_uint, encode_uint
from holdfast.errors import DecodeError
from holdfast.net.relay.wire import Place, decode_places, encode_places

MAX_RECORD = 1000
"""Bytes of a record: with everything around it, it fits into one datagram of the DHT."""
LIFETIME = 30 * 60.0
"""Seconds that a record is true: three times the pause between two publications."""
MAX_LIFETIME = 24 * 3600.0
"""A record that claims to be true for longer than this is not believed."""

_MAGIC = b"HFR1"
_AROUND = 80
"""Bytes of number, lengths and signature around a value."""


class Whereabouts(NamedTuple):
    """What our records say: the relays over which somebody is reached, until when."""

    expires: float
    """Seconds since 1970."""
    places: tuple[Place, ...]

    def at(self, now: float) -> tuple[Place, ...]:
        """The places; none once it has expired, or when it claims to be true for ever."""
        return self.places if now < self.expires <= now + MAX_LIFETIME else ()

    def encode(self) -> bytes:
        """The value of a record; names as many places as fit."""
        for count in range(len(self.places), -1, -1):
            places = encode_places(self.places[:count])
            value = _MAGIC + encode_uint(int(self.expires)) + places
            if len(value) + _AROUND <= MAX_RECORD:
                break
        return value

    @classmethod
    def decode(cls, value: Buffer) -> Whereabouts:
        """Read the value of a record; DecodeError when it is about something else."""
        magic, position = decode_fixed(value, 0, len(_MAGIC))
        if magic != _MAGIC:
            raise DecodeError("A record says something else than where somebody is.")
        expires, position = decode_uint(value, position)
        places, _ = decode_places(value, position)
        return cls(float(expires), tuple(places))


def make_record(keys: KeyPair, places: Sequence[Place], seq: int, now: float) -> Mutable:
    """Our own record: from now on, and for `LIFETIME`, we are reached over these."""
    return Mutable.make(keys, Whereabouts(now + LIFETIME, tuple(places)).encode(), seq)


def read_record(body: Buffer, public_key: bytes) -> Mutable:
    """A record of somebody's as it travels; DecodeError unless the key's holder has signed it."""
    if len(body) > MAX_RECORD:
        raise DecodeError("A record is larger than a datagram holds.")
    record = Mutable.decode(body)
    if not record.is_signed_by(public_key):
        raise DecodeError("A record is not signed by whom it is about.")
    return record


def newer(left: Mutable | None, right: Mutable | None) -> Mutable | None:
    """Of two verified records of one key the one that counts."""
    if left is None or right is None:
        return left or right
    return max(left, right, key=lambda record: (record.seq, record.value))


def places_of(record: Mutable | None, now: float) -> list[Place]:
    """What a verified record says now; nothing if it is about something else."""
    try:
        return [] if record is None else list(Whereabouts.decode(record.value).at(now))
    except DecodeError:
        return []
