"""Requests to named services over a connection: what both sides share.

Everything is counted. Who answers says when the channel opens how many requests, and how many bytes
of them, it takes at once; who asks waits for room. A payload that is too large is refused before it
is sent, and again by who gets it, with `PayloadTooLarge` (what HTTP calls 413).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from holdfast.errors import HoldfastError
from holdfast.net.connection import Connection
from holdfast.net.rpc.names import service_topic
from holdfast.wire import Channel

RPC = "holdfast/rpc"

MAX_PAYLOAD = 8 * 1024 * 1024
"""The largest payload anybody may allow: half of what one message of a connection can carry."""
OVERHEAD = 64
"""Bytes that a request counts for beside its payload, so that empty ones are not free."""


@dataclass(frozen=True, slots=True)
class RpcLimits:
    """Bounds on what one service holds in memory for others."""

    payload: int = 1024 * 1024
    """Bytes in one payload, either way; larger things are files and belong in a drive."""
    requests: int = 64
    """Requests of one connection that are worked on at once."""
    bytes: int = 4 * 1024 * 1024
    """Bytes of requests of one connection that are worked on at once."""
    requests_in_all: int = 512
    """Requests of all connections that are worked on at once."""
    bytes_in_all: int = 64 * 1024 * 1024
    """Bytes of all requests worked on and of all responses that wait to be taken."""
    subscriptions: int = 64
    """Subscriptions of one connection."""
    seconds: float = 300.0
    """Longest work on one request: whoever asked has given up long before."""
    take_seconds: float = 30.0
    """Seconds in which a response must be taken: who asks and does not listen is hung up on."""

    def __post_init__(self) -> None:
        if not 0 < self.payload <= MAX_PAYLOAD:
            raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes")
        if self.bytes < self.payload + OVERHEAD or self.requests < 1:
            raise ValueError("at least one request of the largest size must fit")


class RequestFailed(HoldfastError):
    """A request that got no response; ``kind`` says why in one word."""

    code = "request-failed"
    exit_code = 33
    kind = "failed"

    def __init__(self, message: str, kind: str = "", hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind or type(self).kind


class PayloadTooLarge(RequestFailed):
    """A payload larger than the other side takes."""

    code = "payload-too-large"
    kind = "too-large"
    default_hint = "Send it in parts, or put it into a drive and send the link."


class ServiceBusy(RequestFailed):
    """The worker has as much to do as it takes on; another one, or a later time, can work."""

    code = "service-busy"
    kind = "busy"


class RequestTimeout(RequestFailed):
    """No response in time; the worker was told to stop."""

    code = "request-timeout"
    kind = "timeout"


class NotOffered(RequestFailed):
    """The other side does not offer this service, method or topic (or not to us)."""

    code = "not-offered"
    kind = "not-offered"


_KINDS = {each.kind: each for each in (PayloadTooLarge, ServiceBusy, RequestTimeout, NotOffered)}


def failure_of(kind: str, sentence: str) -> RequestFailed:
    """The error for a failure that the other side reported."""
    return _KINDS.get(kind, RequestFailed)(sentence, kind)


def too_large(size: int, limit: int, whose: str) -> PayloadTooLarge:
    """The error for a payload of ``size`` bytes."""
    return PayloadTooLarge(f"The payload has {size:,} bytes; {whose} takes {limit:,} at most.")


def channel_id(connection: Connection, name: str, *, asking: bool) -> bytes:
    """The id of a service's channel: both may offer the same service over one connection."""
    return bytes([connection.is_initiator == asking]) + service_topic(name)


class Valve:
    """Waits until a connection takes more. One for each channel; replaces its ``on_drain``."""

    __slots__ = ("_channel", "_connection", "_holding", "_moved")

    def __init__(self, connection: Connection, channel: Channel) -> None:
        self._connection, self._channel = connection, channel
        self._moved = asyncio.Event()
        self._holding = False
        channel.on_drain = self.release

    async def ready(self) -> None:
        """Return when the channel may be sent to, or is closed."""
        while not self._channel.closed and not self._channel.drained:
            self._moved.clear()
            await self._moved.wait()

    def hold(self) -> None:
        """Read no more while the other side does not take what was sent: it must not pile up."""
        if not self._holding and not self._channel.closed and not self._channel.drained:
            self._holding = True
            self._connection.pause_reading()

    def release(self) -> None:
        """The connection takes more, or the channel is closed: let everybody find out."""
        self._moved.set()
        if self._holding:
            self._holding = False
            self._connection.resume_reading()
