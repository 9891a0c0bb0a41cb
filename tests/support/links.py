"""Two stores joined in one process: real multiplexers, no sockets, no encryption."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from holdfast.errors import RemoteError
from holdfast.store import Offers, Store, offer_all
from holdfast.wire import Mux


class MemoryLink:
    """One end of a connection."""

    def __init__(self, initiator: bool, remote_public_key: bytes) -> None:
        self.mux = Mux(wake=self._wake)
        self.is_initiator = initiator
        self.remote_public_key = remote_public_key
        self.handshake_hash = b"h" * 64
        self.other: MemoryLink
        self.error: Exception | None = None
        self.closed = False
        self.messages_sent = 0
        self._on_close: list[Callable[..., Any]] = []
        self._loop = asyncio.get_running_loop()

    def on_close(self, callback: Callable[..., Any]) -> None:
        self._on_close.append(callback)

    def _wake(self) -> None:
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        for parts in self.mux.to_send():
            self.messages_sent += 1
            self._loop.call_soon(self.other._receive, b"".join(bytes(part) for part in parts))

    def _receive(self, message: bytes) -> None:
        if self.closed:
            return
        try:
            self.mux.receive(message)
        except RemoteError as error:
            self.error = error
            self.cut()

    def cut(self) -> None:
        """Break the connection on both sides."""
        for end in (self, self.other):
            if not end.closed:
                end.closed = True
                end.mux.shut_down()
                for callback in end._on_close:
                    callback()


def joined(
    a: Store, b: Store, *, offers_a: Offers = offer_all, offers_b: Offers = offer_all
) -> MemoryLink:
    """Attach two stores to the two ends of a new connection; returns a's end."""
    left, right = MemoryLink(True, b"b" * 32), MemoryLink(False, b"a" * 32)
    left.other, right.other = right, left
    a.attach(left, offers=offers_a)
    b.attach(right, offers=offers_b)
    return left
