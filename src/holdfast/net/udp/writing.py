"""When a stream's writer is told to stop, and to go on: asyncio's promise, kept over UDX."""

from __future__ import annotations

import asyncio

from holdfast.udx import Stream

SEND_BUFFER = 512 * 1024
"""Bytes that count as sent although they wait: as a kernel does for TCP, so that a protocol which
allows no buffering keeps the path busy."""
HIGH_WATER = 64 * 1024
"""Bytes beyond those from which writers are told to stop (asyncio's own default)."""


class Writing:
    """The marks of one transport, and whether its protocol has been stopped."""

    __slots__ = ("_stopped", "_stream", "high", "low")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._stopped = False
        self.high = HIGH_WATER
        """Bytes of `size` above which the protocol is stopped."""
        self.low = HIGH_WATER // 4
        """Bytes from which on downwards it goes on."""

    @property
    def size(self) -> int:
        """Bytes waiting beyond `SEND_BUFFER`."""
        return max(0, self._stream.sender.outbox.size - SEND_BUFFER)

    def set_limits(self, high: int | None, low: int | None) -> None:
        """As `asyncio.WriteTransport.set_write_buffer_limits`."""
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be at least low ({low}), and that at least 0")
        self.high, self.low = high, low

    def tell(self, protocol: asyncio.BaseProtocol) -> None:
        """Stop the protocol or let it go on, if that has changed."""
        size = self.size
        if size > self.high and not self._stopped:
            self._stopped = True
            protocol.pause_writing()
        elif size <= self.low and self._stopped:
            self._stopped = False
            protocol.resume_writing()
