"""The datagrams of the DHT: requests and replies (wire notes 4.10).

    request  0x03 flags tid16 to6 [id32] [token32] command [target32] [value]
    reply    0x13 flags tid16 to6 [id32] [token32] [closer nodes] [error] [value]

``to`` is the receiver as the sender sees it. Bytes behind the last field mean nothing: a request
may be padded with them, so that its answer is not many times longer than the question.
"""

from __future__ import annotations

from typing import TypeVar

from holdfast.dht.ipv4 import ADDRESS_BYTES
from holdfast.encoding import decode_buffer, decode_count, decode_uint, encode_buffer, encode_uint
from holdfast.errors import DecodeError

REQUEST = 0x03
REPLY = 0x13
HEADER_BYTES = 10

HAS_ID, HAS_TOKEN = 1, 2
INTERNAL, HAS_TARGET = 4, 8
HAS_CLOSER, HAS_ERROR = 4, 8
HAS_VALUE = 16
_MOST_FLAGS = 0x7F
"""Flag bytes above this mean a longer number, which nobody sends."""

MAX_CLOSER = 32
"""Closer nodes read from one reply; the peers send 20."""

_CUT = "A DHT packet ends in the middle of a field."
_REPLY = bytes((REPLY,))


class RequestPacket:
    """What somebody asks."""

    __slots__ = (
        "command",
        "id",
        "internal",
        "size",
        "target",
        "tid",
        "to_packed",
        "token",
        "value",
    )

    def __init__(
        self,
        tid: bytes,
        to_packed: bytes,
        id32: bytes | None,
        token: bytes | None,
        internal: bool,
        command: int,
        target: bytes | None,
        value: bytes | None,
        size: int,
    ) -> None:
        self.tid = tid
        self.to_packed = to_packed
        self.id = id32
        self.token = token
        self.internal = internal
        self.command = command
        self.target = target
        self.value = value
        self.size = size


class ReplyPacket:
    """What somebody answers."""

    __slots__ = ("closer", "error", "id", "tid", "to", "token", "value")

    def __init__(
        self,
        tid: bytes,
        to: bytes,
        id32: bytes | None,
        token: bytes | None,
        closer: bytes,
        error: int,
        value: bytes | None,
    ) -> None:
        self.tid = tid
        self.to = to
        self.id = id32
        self.token = token
        self.closer = closer
        self.error = error
        self.value = value


_Q = TypeVar("_Q", bound=RequestPacket)
_R = TypeVar("_R", bound=ReplyPacket)


def decode_request(data: bytes) -> RequestPacket:
    """Read a request; DecodeError when it is none."""
    return read_request(data, RequestPacket)


def decode_reply(data: bytes) -> ReplyPacket:
    """Read a reply; DecodeError when it is none. Closer nodes beyond `MAX_CLOSER` are passed by."""
    return read_reply(data, ReplyPacket)


def read_request(data: bytes, kind: type[_Q]) -> _Q:
    """`decode_request` into an object that can do more."""
    flags, id32, token, at = _head(data)
    command, at = decode_uint(data, at)
    target = value = None
    if flags & HAS_TARGET:
        target = data[at : at + 32]
        at += 32
        if at > len(data):
            raise DecodeError(_CUT)
    if flags & HAS_VALUE:
        value = _value(data, at)
    return kind(
        data[2:4],
        data[4:10],
        id32,
        token,
        flags & INTERNAL != 0,
        command,
        target,
        value,
        len(data),
    )


def read_reply(data: bytes, kind: type[_R]) -> _R:
    """`decode_reply` into an object that can do more."""
    flags, id32, token, at = _head(data)
    closer, error, value = b"", 0, None
    if flags & HAS_CLOSER:
        count, at = decode_count(data, at, ADDRESS_BYTES)
        closer = data[at : at + ADDRESS_BYTES * min(count, MAX_CLOSER)]
        at += ADDRESS_BYTES * count
    if flags & HAS_ERROR:
        error, at = decode_uint(data, at)
    if flags & HAS_VALUE:
        value = _value(data, at)
    return kind(data[2:4], data[4:10], id32, token, closer, error, value)


def _head(data: bytes) -> tuple[int, bytes | None, bytes | None, int]:
    """Flags, id, token and where the rest starts."""
    if len(data) < HEADER_BYTES:
        raise DecodeError(_CUT)
    flags, at = data[1], HEADER_BYTES
    if flags > _MOST_FLAGS:
        raise DecodeError("A DHT packet has flags that nobody knows.")
    id32 = token = None
    if flags & HAS_ID:
        id32 = data[at : at + 32]
        at += 32
    if flags & HAS_TOKEN:
        token = data[at : at + 32]
        at += 32
    if at > len(data):
        raise DecodeError(_CUT)
    return flags, id32, token, at


def _value(data: bytes, at: int) -> bytes | None:
    """A value; none and an empty one look the same."""
    value, _ = decode_buffer(data, at)
    return bytes(value) or None


class Frame:
    """A request without its tid and receiver: made once, sent to many."""

    __slots__ = ("_head", "_tail")

    def __init__(
        self,
        command: int,
        *,
        internal: bool = False,
        id32: bytes | None = None,
        token: bytes | None = None,
        target: bytes | None = None,
        value: bytes | None = None,
        least: int = 0,
    ) -> None:
        """A request that is padded to ``least`` bytes."""
        flags = INTERNAL if internal else 0
        parts = []
        if id32 is not None:
            flags |= HAS_ID
            parts.append(id32)
        if token is not None:
            flags |= HAS_TOKEN
            parts.append(token)
        parts.append(encode_uint(command))
        if target is not None:
            flags |= HAS_TARGET
            parts.append(target)
        if value is not None:
            flags |= HAS_VALUE
            parts.append(encode_buffer(value))
        self._head = bytes((REQUEST, flags))
        self._tail = b"".join(parts).ljust(least - HEADER_BYTES, b"\x00")

    def __len__(self) -> int:
        """The size of the datagram."""
        return HEADER_BYTES + len(self._tail)

    def encode(self, tid: bytes, to: bytes) -> bytes:
        """The datagram for one receiver."""
        return b"".join((self._head, tid, to, self._tail))


def encode_reply(
    tid: bytes,
    to: bytes,
    *,
    id32: bytes | None = None,
    token: bytes | None = None,
    closer: bytes = b"",
    error: int = 0,
    value: bytes | None = None,
) -> bytes:
    """A reply; ``closer`` are packed addresses end to end."""
    flags = 0
    parts = [_REPLY, b"", tid, to]
    if id32 is not None:
        flags |= HAS_ID
        parts.append(id32)
    if token is not None:
        flags |= HAS_TOKEN
        parts.append(token)
    if closer:
        flags |= HAS_CLOSER
        parts.append(encode_uint(len(closer) // ADDRESS_BYTES))
        parts.append(closer)
    if error:
        flags |= HAS_ERROR
        parts.append(encode_uint(error))
    if value is not None:
        flags |= HAS_VALUE
        parts.append(encode_buffer(value))
    parts[1] = encode_uint(flags)
    return b"".join(parts)
