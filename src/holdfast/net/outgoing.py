"""Sealed bytes on their way into a socket, and when to stop making more."""

from __future__ import annotations

import asyncio
from collections import deque

from holdfast.crypto import Buffer

HIGH_WATER = 1024 * 1024
"""Bytes waiting from which a sender is told to stop: a slow reader costs us no more than this."""
LOW_WATER = 256 * 1024
"""Bytes waiting from which it may go on; the socket itself still holds enough to stay busy."""


class Outgoing:
    """A queue in front of a transport.

    The transport gets one piece at a time and the next once that is with the kernel, so that large
    pieces are not copied into its own buffer behind others.
    """

    __slots__ = ("_pieces", "_transport", "_blocked", "waiting")

    def __init__(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self._pieces: deque[Buffer] = deque()
        self._blocked = False
        self.waiting = 0
        """Bytes not yet given to the transport."""

    @property
    def full(self) -> bool:
        """Whether the sender should stop."""
        return self.waiting >= HIGH_WATER

    @property
    def low(self) -> bool:
        """Whether the sender may go on after having stopped."""
        return self.waiting <= LOW_WATER

    def write(self, pieces: list[Buffer]) -> None:
        """Queue pieces and pass on what the kernel takes now."""
        self._pieces += pieces
        self.waiting += sum(map(len, pieces))
        if not self._blocked:
            self._pass_on()

    def block(self) -> None:
        """The transport holds bytes that the kernel did not take (`pause_writing`)."""
        self._blocked = True

    def unblock(self) -> None:
        """The transport is empty again (`resume_writing`)."""
        self._blocked = False
        self._pass_on()

    def _pass_on(self) -> None:
        pieces, write, dead = self._pieces, self._transport.write, self._transport.is_closing
        while pieces and not self._blocked and not dead():  # asyncio complains of such writes
            piece = pieces.popleft()
            self.waiting -= len(piece)
            # As a view, what the kernel leaves is not copied twice.
            write(memoryview(piece))

    def finish(self) -> None:
        """Give everything to the transport, whose `close` sends what it holds."""
        while self._pieces:
            self._transport.write(self._pieces.popleft())
        self.waiting = 0

    def forget(self) -> None:
        """Drop everything."""
        self._pieces.clear()
        self.waiting = 0
