"""Small signed records that expire, kept by the nodes of the DHT under a public key.

The DHT itself forgets a record some time after it was last put. That may be too late (a price, an
address), and an old node may hand out an old record; so the record says itself until when it
counts, under the signature of its owner, and who reads it refuses it afterwards. Both clocks count:
give a record more time than they may differ by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from holdfast.crypto import KeyPair
from holdfast.encoding import decode_uint, encode_uint
from holdfast.errors import DecodeError
from holdfast.net.dht.node import MAX_VALUE, DhtNode
from holdfast.net.rpc.shared import PayloadTooLarge

_VERSION = 1
_HEAD = 10
MAX_RECORD = MAX_VALUE - _HEAD
"""Bytes of a record: it must fit into a datagram that is not cut up on its way."""


class ServiceRecord(NamedTuple):
    """What the holder of a key says, until when."""

    value: bytes
    expires: float
    """Seconds since 1970, by the clock of who wrote it."""
    seq: int


async def put_record(
    dht: DhtNode,
    key_pair: KeyPair,
    value: bytes,
    *,
    seconds: float,
    seq: int | None = None,
    clock: Callable[[], float] = time.time,
) -> ServiceRecord:
    """Say something for so many seconds, in place of what this key said before.

    ``seq`` must grow with each record; by default it is the clock's milliseconds. Raises
    `PayloadTooLarge`, and `UnavailableError` when no node took it.
    """
    if len(value) > MAX_RECORD:
        raise PayloadTooLarge(
            f"The record has {len(value):,} bytes; the DHT takes {MAX_RECORD:,} at most.",
            hint="Put it into a drive, and its link into the record.",
        )
    now = clock()
    expires = now + seconds
    head = encode_uint(_VERSION) + encode_uint(round(1000 * expires))
    number = round(1000 * now) if seq is None else seq
    await dht.mutable_put(key_pair, head + value, number)
    return ServiceRecord(value, expires, number)


async def get_record(
    dht: DhtNode, public_key: bytes, *, clock: Callable[[], float] = time.time
) -> ServiceRecord | None:
    """What the holder of a key says now; None when nothing is found, or what is has expired.

    Raises `DecodeError` for a record that is not of this kind.
    """
    found = await dht.mutable_get(public_key)
    if found is None:
        return None
    record = _read(found.value, found.seq)
    return record if record.expires > clock() else None


def _read(data: bytes, seq: int) -> ServiceRecord:
    version, at = decode_uint(data, 0)
    if version != _VERSION:
        raise DecodeError("This record is of a kind that this program does not know.")
    expires, at = decode_uint(data, at)
    return ServiceRecord(data[at:], expires / 1000, seq)
