"""One end of a relayed stream, as a transport: an ordinary `Connection` runs over it.

The relay carries pieces of ciphertext between two of these. What may be on its way is bounded by
the window (see `relay_window`), so an end that stops reading stops its other end, and nobody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from holdfast.errors import HoldfastError, RemoteError
from holdfast.net.relay.wire import (
    FIRST_WINDOW,
    MAX_PIECE,
    MAX_WINDOW,
    PIECE_COST,
    Reason,
    RelayRefused,
)

CONFIRM_STEP = 16 * 1024
"""What was taken is confirmed from here on: a quarter of the smallest window."""


class Line(Protocol):
    """What a stream needs of the channel with the relay."""

    def ready(self, stream: RelayedStream) -> None:
        """Call the stream's `send_piece` when the connection takes more, in turn with others."""

    def confirm(self, stream: RelayedStream, count: int) -> None:
        """Tell the other end that so much was taken."""

    def end(self, stream: RelayedStream) -> None:
        """Tell the other end that nothing more will be sent."""

    def forget(self, stream: RelayedStream, reason: Reason) -> None:
        """Tell the other end that the stream is closed, and drop it."""


class RelayedStream(asyncio.Transport):
    """A transport through a relay. Made by `RelayLink`, used by `attach`."""

    def __init__(self, line: Line, number: int, public_key: bytes) -> None:
        super().__init__({"relay": public_key})
        self.number = number
        self.public_key = public_key
        """Whom the relay says is at the other end; the handshake inside proves it."""
        self.error: HoldfastError | None = None
        """Why it was closed, unless by one of the ends."""
        self.on_failed: Callable[[HoldfastError], object] | None = None
        """Gets `error` before the protocol hears of the end."""
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._protocol: asyncio.BaseProtocol | None = None
        self._credit = FIRST_WINDOW
        self._out: deque[memoryview] = deque()
        self._out_bytes = 0
        self._high, self._low = 64 * 1024, 16 * 1024
        self._writer_paused = False
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._taken = 0
        self._paused = False
        self._eof_out = self._eof_sent = self._eof_in = self._eof_handed = False
        self._closing = self._dead = False
        self._last = False
        """Closed over there; what has come is still handed over."""

    def attach(self, protocol: asyncio.BaseProtocol) -> None:
        """Let a protocol run over this, from now on."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._deliver_waiting()

    # -- asyncio.Transport: writing ---------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes; they must not change afterwards."""
        if self._dead or self._eof_out or self._closing or not data:
            return
        self._out.append(memoryview(data))
        self._out_bytes += len(data)
        self._line.ready(self)
        if self._out_bytes > self._high and not self._writer_paused and self._protocol:
            self._writer_paused = True
            self._protocol.pause_writing()

    def send_piece(self) -> memoryview | None:
        """The next piece for the wire, counted against the window; None when none may go now."""
        room = min(self._credit - PIECE_COST, MAX_PIECE)
        if not self._out or room <= 0 or self._dead:
            return None
        first = self._out[0]
        piece = first[:room]
        if len(piece) == len(first):
            self._out.popleft()
        else:
            self._out[0] = first[room:]
        self._out_bytes -= len(piece)
        self._credit -= len(piece) + PIECE_COST
        return piece

    def sent(self) -> None:
        """A piece has left: let the writer go on, or finish what waited for the last one."""
        if self._writer_paused and self._out_bytes <= self._low and self._protocol is not None:
            self._writer_paused = False
            self._protocol.resume_writing()
        self._finish_out()

    def _finish_out(self) -> None:
        if self._out or self._dead:
            return
        if self._closing:
            self._line.forget(self, Reason.DONE)
            self._die(None)
        elif self._eof_out and not self._eof_sent:
            self._eof_sent = True
            self._line.end(self)

    def write_eof(self) -> None:
        """Send what is queued, then nothing more."""
        self._eof_out = True
        self._finish_out()

    def can_write_eof(self) -> bool:
        """Yes: a relayed stream can be half closed."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the window or the connection."""
        return self._out_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high water."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is asked to pause and to go on."""
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    # -- asyncio.Transport: reading ---------------------------------------------------------------

    def pause_reading(self) -> None:
        """Hand over nothing more; the other end stops once its window is used up."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand over what came meanwhile, and go on."""
        if self._paused:
            self._paused = False
            # The protocol may be in the middle of something.
            self._loop.call_soon(self._deliver_waiting)

    def is_reading(self) -> bool:
        """Whether what comes is handed over at once."""
        return not self._paused and not self._closing

    # -- asyncio.Transport: the rest --------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``"relay"``: the key of the other end. There is no socket and no address."""
        return super().get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that runs over this."""
        assert self._protocol is not None
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol go on."""
        self._protocol = protocol

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing or self._dead

    def close(self) -> None:
        """Send what is queued, then close."""
        if not self.is_closing():
            self._closing = True
            self._finish_out()

    def abort(self, reason: Reason = Reason.DONE) -> None:
        """Close at once."""
        if not self._dead:
            self._line.forget(self, reason)
            self._die(None)

    # -- the relay's side -------------------------------------------------------------------------

    def credit(self, count: int) -> None:
        """So much more may be sent. RemoteError when that is more than any window."""
        self._credit += count
        if self._credit > MAX_WINDOW:
            raise RemoteError("A relay allows more than there is to allow.")
        self._line.ready(self)

    def receive(self, data: memoryview) -> None:
        """Bytes have come. RemoteError when they are more than the window allows."""
        if self._closing or self._dead:
            self._line.confirm(self, len(data) + PIECE_COST)
            return
        self._held += len(data) + PIECE_COST
        if self._held > MAX_WINDOW or self._eof_in:
            raise RemoteError("A relay sent more than it may.")
        if self._paused or self._protocol is None or self._waiting:
            self._waiting.append(bytes(data))
        else:
            self._hand_over(data)

    def ended(self) -> None:
        """The other end sends nothing more."""
        self._eof_in = True
        self._deliver_waiting()

    def closed(self, error: HoldfastError | None) -> None:
        """The stream is gone: with ``error`` at once, else after what has come before it."""
        if self._dead:
            return
        if isinstance(error, RelayRefused) and error.reason == Reason.DONE:
            error = None
        if error is not None:
            self._die(error)
        else:
            self._closing = self._last = True
            self._out.clear()
            self._deliver_waiting()

    def _hand_over(self, data: memoryview | bytes) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            view = memoryview(data)
            while len(view) and not self._dead:
                buffer = cast(memoryview, protocol.get_buffer(len(view)))
                count = min(len(view), len(buffer))
                buffer[:count] = view[:count]
                protocol.buffer_updated(count)
                view = view[count:]
        elif isinstance(protocol, asyncio.Protocol):
            protocol.data_received(bytes(data))
        self._take(len(data) + PIECE_COST)

    def _take(self, cost: int) -> None:
        self._held -= cost
        self._taken += cost
        if self._taken >= CONFIRM_STEP and not self._dead and not self._last:
            self._line.confirm(self, self._taken)
            self._taken = 0

    def _deliver_waiting(self) -> None:
        while self._waiting and not self._paused and not self._dead and self._protocol:
            self._hand_over(self._waiting.popleft())
        if self._waiting or self._dead or self._protocol is None:
            return
        stays = True
        if (self._eof_in or self._last) and not self._eof_handed:
            self._eof_handed = True
            protocol = self._protocol
            assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
            stays = bool(protocol.eof_received())
        if self._last:
            self._die(None)
        elif not stays:
            self.close()

    def _die(self, error: HoldfastError | None) -> None:
        self._dead = True
        self.error = error
        self._out.clear()
        self._waiting.clear()
        self._out_bytes = self._held = 0
        if error is not None and self.on_failed is not None:
            self.on_failed(error)
        # As sockets do: not in the middle of a call of the protocol's.
        self._loop.call_soon(self._lost, error)

    def _lost(self, error: HoldfastError | None) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)
