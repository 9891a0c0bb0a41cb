"""The messages of ``holdfast/relay``: what a relay and those who lean on it say to each other.

One channel on an ordinary connection, its id the public key of the client, so that two nodes can
be each other's relay. Types:

==  =======  =========  ===========================================================================
 0  JOIN     to relay   topic, flags: be told of a topic's peers, be told to them, or both
 1  LEAVE    to relay   topic
 2  PEERS    to client  topic, public keys
 3  OPEN     both       stream, key: whom to reach (to relay), who calls (to client)
 4  DATA     both       stream, bytes: ciphertext of the connection between the two ends
 5  WINDOW   both       stream, count: so much of what was sent is taken, as much may follow
 6  END      both       stream: nothing more comes in this direction
 7  CLOSE    both       stream, reason
 8  ASK      to relay   question, kind, key: look something up for me
 9  ANSWER   to client  question, places
10  PUBLISH  to relay   a record signed by the client, to be kept in the DHT
==  =======  =========  ===========================================================================

Whoever opens a stream numbers it, clients with even and relays with odd numbers, always upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from holdfast.crypto import blake2b
from holdfast.encoding import (
    KEY_BYTES,
    Buffer,
    decode_count,
    decode_fixed,
    decode_string,
    decode_uint,
    encode_string,
    encode_uint,
)
from holdfast.errors import DecodeError, PeerUnreachable

PROTOCOL = "holdfast/relay"
VERSION = 1

JOIN, LEAVE, PEERS, OPEN, DATA, WINDOW, END, CLOSE, ASK, ANSWER, PUBLISH = range(11)

ANNOUNCE, LOOKUP = 1, 2
"""Flags of JOIN: tell others of me; tell me of others."""

ASK_RELAYS, ASK_PEER, ASK_TOPIC = 0, 1, 2
"""Kinds of question: any relays; the relays that hold a peer; those where a topic is announced."""

FIRST_WINDOW = 64 * 1024
"""What may be sent on a new stream before anybody has said so: no round trip to begin."""
MAX_WINDOW = 1024 * 1024
"""The most that is on its way in one direction: 20 MB/s over 50 ms, and it bounds both ends."""
MAX_PIECE = 64 * 1024
"""Bytes of one DATA message: the streams of a connection take turns piece by piece."""
PIECE_COST = 32
"""What a piece counts for beside its bytes: many tiny ones fill memory too."""
MAX_PLACES = 8
"""Places in one answer: more relays than anybody tries."""
MAX_PLACE_ADDRESSES = 4
"""Addresses of one relay: two families, inside and outside, or a WebSocket beside."""
MAX_PLACE_TEXT = 255
"""Bytes of one address: the longest name DNS can carry, or a short URL."""

RELAY_TOPIC = blake2b(b"holdfast/relay")
"""Where relays announce themselves in the DHT."""
_TOPIC_DOMAIN = b"holdfast/relay/topic"


class Reason(IntEnum):
    """Why a stream was closed or refused."""

    DONE = 0
    NOT_HERE = 1
    BUSY = 2
    FULL = 3
    TOO_MANY = 4
    NOT_ALLOWED = 5
    GONE = 6
    IDLE = 7
    BROKEN = 8


_SENTENCES = {
    Reason.DONE: "The other side closed the relayed connection.",
    Reason.NOT_HERE: "The relay has no connection with that peer.",
    Reason.BUSY: "That peer takes no more relayed connections now.",
    Reason.FULL: "The relay carries as much as it may.",
    Reason.TOO_MANY: "The relay allows no more connections from here.",
    Reason.NOT_ALLOWED: "The relay does not carry this.",
    Reason.GONE: "The relay lost its connection with that peer.",
    Reason.IDLE: "Nothing was sent over the relay for too long.",
    Reason.BROKEN: "The other side broke the relay's rules.",
}


class RelayRefused(PeerUnreachable):
    """A relay does not, or no longer, connect us with a peer; `reason` says why."""

    code = "relay-refused"
    default_hint = "Try again later, or over another relay."

    def __init__(self, reason: int) -> None:
        known = reason in set(Reason)
        super().__init__(_SENTENCES[Reason(reason)] if known else "The relay refused.")
        self.reason = reason


class Place(NamedTuple):
    """A relay: whom to expect there, and its addresses (``HOST:PORT`` or a WebSocket URL)."""

    public_key: bytes
    addresses: tuple[str, ...]


def relay_topic(topic: bytes) -> bytes:
    """What relays know a topic by: they can match it, but not ask anybody for what is behind."""
    return blake2b(topic, key=_TOPIC_DOMAIN)


def decode_key(body: Buffer, position: int) -> tuple[bytes, int]:
    """A public key, a topic, or anything else of 32 bytes."""
    data, position = decode_fixed(body, position, KEY_BYTES)
    return bytes(data), position


def encode_keys(keys: Sequence[bytes]) -> bytes:
    """Several keys behind their count."""
    return b"".join((encode_uint(len(keys)), *keys))


def decode_keys(body: Buffer, position: int) -> tuple[list[bytes], int]:
    """Several keys; DecodeError where fewer follow than announced."""
    count, position = decode_count(body, position, KEY_BYTES)
    keys = []
    for _ in range(count):
        key, position = decode_key(body, position)
        keys.append(key)
    return keys, position


def encode_places(places: Sequence[Place]) -> bytes:
    """Places behind their count; as many, and of each as many addresses, as may be sent."""
    parts = [encode_uint(min(len(places), MAX_PLACES))]
    for place in places[:MAX_PLACES]:
        texts = [text for text in place.addresses if len(text.encode()) <= MAX_PLACE_TEXT]
        texts = texts[:MAX_PLACE_ADDRESSES]
        parts += [place.public_key, encode_uint(len(texts)), *map(encode_string, texts)]
    return b"".join(parts)


def decode_places(body: Buffer, position: int) -> tuple[list[Place], int]:
    """Places, every part of them bounded; DecodeError for anything else."""
    count, position = decode_count(body, position, KEY_BYTES + 1)
    if count > MAX_PLACES:
        raise DecodeError("More relays are named than anybody can try.")
    places = []
    for _ in range(count):
        key, position = decode_key(body, position)
        addresses, position = _decode_addresses(body, position)
        places.append(Place(key, addresses))
    return places, position


def _decode_addresses(body: Buffer, position: int) -> tuple[tuple[str, ...], int]:
    count, position = decode_count(body, position)
    if count > MAX_PLACE_ADDRESSES:
        raise DecodeError("A relay has more addresses than it may name.")
    texts = []
    for _ in range(count):
        text, position = decode_string(body, position)
        if len(text) > MAX_PLACE_TEXT or not text.isprintable():
            raise DecodeError("An address of a relay is too long, or no text.")
        texts.append(text)
    return tuple(texts), position


class Welcome(NamedTuple):
    """What a relay says when it takes a client."""

    answers: bool
    """Whether it looks things up in the DHT for its clients, and keeps their records there."""


def encode_hello() -> bytes:
    """A client's side of the handshake."""
    return encode_uint(VERSION)


def encode_welcome(welcome: Welcome) -> bytes:
    """A relay's side of the handshake."""
    return encode_uint(VERSION) + encode_uint(int(welcome.answers))


def speaks_ours(body: Buffer) -> bool:
    """Whether the other side's handshake, of either side, is of the version that we speak."""
    return decode_uint(body, 0)[0] == VERSION


def decode_welcome(body: Buffer) -> Welcome:
    """What a relay says, if it `speaks_ours`."""
    _, position = decode_uint(body, 0)
    flags, _ = decode_uint(body, position)
    return Welcome(bool(flags & 1))
