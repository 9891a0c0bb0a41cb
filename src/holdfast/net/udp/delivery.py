"""Hands what a stream has received to an asyncio protocol of either kind."""

from __future__ import annotations

import asyncio
from collections import deque

from holdfast.udx import Stream


class Delivery:
    """Bytes on their way from a stream to its protocol."""

    __slots__ = ("_pieces", "_stream", "delivered", "drop", "protocol", "reading")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pieces: deque[memoryview] = deque()
        self.protocol: asyncio.BaseProtocol | None = None
        self.reading = True
        """Whether the protocol wants data now."""
        self.drop = False
        """Whether it wants none any more; what comes is thrown away, and the window stays open."""
        self.delivered = 0
        """Bytes handed over so far."""

    @property
    def waiting(self) -> bool:
        """Whether the protocol has not got everything that has arrived."""
        return not self.drop and bool(self._pieces or self._stream.inbox.waiting)

    @property
    def at_end(self) -> bool:
        """Whether the other side has ended, and the protocol has got everything."""
        return self._stream.inbox.ended and not self.waiting

    def hand_over(self) -> None:
        """Give the protocol what it wants, for as long as it wants."""
        if self.drop:
            self._pieces.clear()
            self._stream.read()
        elif self.reading:
            if self._stream.inbox.waiting:
                self._pieces += map(memoryview, self._stream.read())
            if self._pieces:
                protocol = self.protocol
                if isinstance(protocol, asyncio.BufferedProtocol):
                    self._fill(protocol)
                elif isinstance(protocol, asyncio.Protocol):
                    self._pass(protocol)

    def _pass(self, protocol: asyncio.Protocol) -> None:
        while self._pieces and self.reading and not self.drop:
            piece = self._pieces.popleft()
            self.delivered += len(piece)
            data = piece.obj
            protocol.data_received(data if isinstance(data, bytes) else piece.tobytes())

    def _fill(self, protocol: asyncio.BufferedProtocol) -> None:
        pieces = self._pieces
        while pieces and self.reading and not self.drop:
            buffer = memoryview(protocol.get_buffer(-1))
            room, filled = len(buffer), 0
            while pieces and filled < room:
                piece = pieces.popleft()
                count = min(len(piece), room - filled)
                if count < len(piece):
                    pieces.appendleft(piece[count:])
                    piece = piece[:count]
                buffer[filled : filled + count] = piece
                filled += count
            self.delivered += filled
            protocol.buffer_updated(filled)
