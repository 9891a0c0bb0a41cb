"""The last calls to a protocol over UDX: the other side's end, and the loss of the connection."""

from __future__ import annotations

import asyncio
import errno

from holdfast.net.udp.delivery import Delivery
from holdfast.udx import Cause, Stream


class Ending:
    """Says each of the two once, and when."""

    __slots__ = ("_delivery", "_stream", "_told_end", "lost")

    def __init__(self, stream: Stream, delivery: Delivery) -> None:
        self._stream, self._delivery = stream, delivery
        self._told_end = False
        self.lost = False
        """Whether the protocol has been told that the connection is gone, or is about to be."""

    def at_end(self) -> bool:
        """Whether to tell the protocol now that the other side has ended; True once."""
        if self._told_end or not self._delivery.at_end:
            return False
        self._told_end = True
        return True

    def at_loss(self) -> bool:
        """Whether to tell it now that the connection is gone; True once.

        What arrived before a friendly end is delivered first, even to a reader that has paused.
        """
        stream = self._stream
        waits = stream.cause is Cause.FINISHED and self._delivery.waiting
        if self.lost or not stream.closed or waits:
            return False
        self.lost = True
        return True

    def error(self) -> OSError | None:
        """What `connection_lost` is to be told; None after a friendly end, or our own."""
        cause = self._stream.cause
        if cause is Cause.RESET:
            return ConnectionResetError(errno.ECONNRESET, "the other side gave the stream up")
        if cause is Cause.TIMED_OUT:
            return TimeoutError(errno.ETIMEDOUT, "the other side does not answer any more")
        return None


def wants_more(protocol: asyncio.BaseProtocol) -> bool:
    """Tell a protocol that the other side has ended; whether it goes on writing."""
    assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
    return bool(protocol.eof_received())
