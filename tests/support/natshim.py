"""A NAT inside the process: its datagrams leave and come back as a router would let them.

Outside there are real sockets on loopback, so real nodes can answer. Only what a router decides is
made up: which outside port a datagram leaves by, and who may send to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from holdfast.net.checks.probe import Addr, ProbeSocket, open_socket

OUTSIDE = "127.0.0.9"
"""The router's address as others see it."""


class Mode(StrEnum):
    """The four kinds of network that the doctor tells apart."""

    OPEN = "open"
    MODERATE = "moderate"
    STRICT = "strict"
    BLOCKED = "blocked"


class ShimSocket:
    """A socket behind a router of a given kind."""

    def __init__(self, mode: Mode, outside: ProbeSocket) -> None:
        self.on_datagram: Callable[[bytes, Addr], None] = lambda data, addr: None
        self.port = 40_000
        self._mode = mode
        self._outside: dict[Addr | None, ProbeSocket] = {None: outside}
        self._written: set[Addr] = set()
        self._making: set[asyncio.Task[None]] = set()
        outside.on_datagram = self._arrived

    def send(self, data: bytes, addr: Addr) -> None:
        """Through the router, if it lets it out."""
        if self._mode is Mode.BLOCKED:
            return
        self._written.add(addr)
        if self._mode is not Mode.STRICT:
            self._outside[None].send(data, addr)
        elif addr in self._outside:
            self._outside[addr].send(data, addr)
        else:
            task = asyncio.ensure_future(self._leave(data, addr))
            self._making.add(task)
            task.add_done_callback(self._making.discard)

    async def _leave(self, data: bytes, addr: Addr) -> None:
        """By a port of its own for this destination."""
        opened = await open_socket(OUTSIDE)
        opened.on_datagram = self._arrived
        self._outside.setdefault(addr, opened).send(data, addr)
        if self._outside[addr] is not opened:
            opened.close()

    def _arrived(self, data: bytes, addr: Addr) -> None:
        if self._mode is Mode.OPEN or addr in self._written:
            self.on_datagram(data, addr)

    def close(self) -> None:
        """Let go of every port."""
        for task in self._making:
            task.cancel()
        for each in self._outside.values():
            each.close()


def behind(mode: Mode) -> Callable[[], asyncio.Future[ProbeSocket]]:
    """What opens sockets behind a router of that kind."""

    async def make() -> ProbeSocket:
        return ShimSocket(mode, await open_socket(OUTSIDE))

    return lambda: asyncio.ensure_future(make())
