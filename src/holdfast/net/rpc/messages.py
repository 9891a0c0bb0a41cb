"""The messages of ``holdfast/rpc`` as bytes (compact encoding).

A channel belongs to one service: its id is a byte that says who of the two asks (the dialler of the
connection or the other), and the service's topic. It is opened with a version and what the opener
takes at once. Each request has a number of its own and gets exactly one answer, a cancelled one
too, so that both sides count alike what is on its way.

====  ==========================================  ========================================
type  who asks sends                              who answers sends
====  ==========================================  ========================================
0     request: number, method, payload            response: number, payload
1     cancel: number                              failure: number, kind, sentence
2     subscribe: number, window, topic            event: number, missed before it, payload
3     grant: number, bytes                        subscribed: number
====  ==========================================  ========================================
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.encoding import (
    Buffer,
    decode_string,
    decode_uint,
    encode_string,
    encode_uint,
)
from holdfast.errors import DecodeError

VERSION = 1
REQUEST, CANCEL, SUBSCRIBE, GRANT = range(4)
RESPONSE, FAILURE, EVENT, SUBSCRIBED = range(4)

MAX_SENTENCE = 512
"""Longest explanation of a failure that is sent or kept: it is shown to a person."""
MAX_KIND = 32
"""Longest kind of a failure: a word for programs."""


class Opening(NamedTuple):
    """What a side takes at once, told when the channel is opened."""

    payload: int
    """Bytes in one payload."""
    requests: int
    """Requests in flight; 0 from who asks."""
    bytes: int
    """Bytes of requests in flight; 0 from who asks."""


class Numbered(NamedTuple):
    """A number, a text (method, topic, kind) and the rest of the message."""

    number: int
    text: str
    rest: memoryview


class Event(NamedTuple):
    """Something published, for one subscription."""

    number: int
    missed: int
    payload: memoryview


def encode_opening(opening: Opening) -> bytes:
    """The handshake of a channel."""
    return b"".join(encode_uint(n) for n in (VERSION, *opening))


def decode_opening(body: memoryview) -> Opening:
    """The handshake of a channel; DecodeError when it is of a version before the first."""
    version, position = decode_uint(body, 0)
    if version < 1:
        raise DecodeError("A service is spoken to in a version that never existed.")
    payload, position = decode_uint(body, position)
    requests, position = decode_uint(body, position)
    size, position = decode_uint(body, position)
    return Opening(payload, requests, size)


def encode_numbered(number: int, text: str, rest: Buffer = b"") -> tuple[bytes, Buffer]:
    """Request (method and payload), or a failure's head (kind)."""
    return encode_uint(number) + encode_string(text), rest


def decode_numbered(body: memoryview, longest: int) -> Numbered:
    """A number, a text of at most ``longest`` bytes, and the rest."""
    number, position = decode_uint(body, 0)
    size, start = decode_uint(body, position)
    if size > longest:
        raise DecodeError("A name in a request is too long.")
    text, start = decode_string(body, position)
    return Numbered(number, text, body[start:])


def encode_failure(number: int, kind: str, sentence: str) -> bytes:
    """Why there is no response."""
    return encode_uint(number) + encode_string(kind) + encode_string(cut(sentence))


def decode_failure(body: memoryview) -> tuple[int, str, str]:
    """Number, kind, sentence."""
    number, kind, rest = decode_numbered(body, MAX_KIND)
    sentence, _ = decode_string(rest, 0)
    return number, kind, cut(sentence)


def encode_numbers(*numbers: int) -> bytes:
    """Cancel, grant, subscribed: numbers and nothing else."""
    return b"".join(map(encode_uint, numbers))


def decode_numbers(body: memoryview, count: int) -> list[int]:
    """That many numbers."""
    found, position = [], 0
    for _ in range(count):
        number, position = decode_uint(body, position)
        found.append(number)
    return found


def encode_subscribe(number: int, window: int, topic: str) -> bytes:
    """A wish to hear what is published, and how many bytes may come before a grant."""
    return encode_uint(number) + encode_uint(window) + encode_string(topic)


def decode_subscribe(body: memoryview, longest: int) -> tuple[int, int, str]:
    """Number, window, topic."""
    number, position = decode_uint(body, 0)
    window, position = decode_uint(body, position)
    size, _ = decode_uint(body, position)
    if size > longest:
        raise DecodeError("The name of a topic is too long.")
    topic, _ = decode_string(body, position)
    return number, window, topic


def encode_event(number: int, missed: int, payload: Buffer) -> tuple[bytes, Buffer]:
    """Something published."""
    return encode_uint(number) + encode_uint(missed), payload


def decode_event(body: memoryview) -> Event:
    """Something published."""
    number, position = decode_uint(body, 0)
    missed, position = decode_uint(body, position)
    return Event(number, missed, body[position:])


def cut(sentence: str) -> str:
    """At most `MAX_SENTENCE` bytes of a sentence."""
    data = sentence.encode("utf-8", "replace")
    return sentence if len(data) <= MAX_SENTENCE else data[:MAX_SENTENCE].decode("utf-8", "ignore")
