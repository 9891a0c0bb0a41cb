"""An ordinary connection inside WebSocket messages: for browsers, and where only the web gets out.

The bytes are those of a TCP connection, cut into binary messages anywhere. WebSocket adds nothing
that we rely on: who is there is proven by the handshake inside. So any Origin and any path will do;
a page in a browser can do with this socket no more than any stranger with a TCP socket can, and it
has no cookie or password that another page could borrow. TLS (``wss:``) is for the way through
proxies; a server's side of it is the business of the web server in front.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from holdfast.errors import HandshakeError
from holdfast.net.connection import Connection

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.server import ServerProtocol

MAX_INCOMING = 128 * 1024
"""Bytes of one message that are accepted: a stranger's is held until it is whole."""
PIECE = 64 * 1024
"""Bytes of one message that we send."""

_HINT = "The address may be that of a web site, or of a proxy that does not pass WebSockets on."


class WebSocketTransport(asyncio.Transport):
    """The socket as the connection inside sees it: bytes go in and out as binary messages."""

    def __init__(self, wire: WebSocketWire, transport: asyncio.Transport) -> None:
        super().__init__()
        self._wire, self._transport = wire, transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self._wire.send(view[start : start + PIECE])

    def writelines(self, list_of_data: Any) -> None:
        """Send several."""
        for data in list_of_data:
            self.write(data)

    def write_eof(self) -> None:
        """Send the closing message once everything is sent; the other side answers it."""
        self._wire.finish()

    def can_write_eof(self) -> bool:
        """Yes, by a closing message."""
        return True

    def close(self) -> None:
        """Send what is queued and the closing message, then close."""
        self._wire.finish()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._transport.is_closing() or self._wire.finished

    def pause_reading(self) -> None:
        """Take no more from the socket."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more."""
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not taken."""
        return self._transport.get_write_buffer_size() + self._wire.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the connection is asked to pause and to go on."""
        self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the socket knows."""
        return self._transport.get_extra_info(name, default)


class WebSocketWire(asyncio.Protocol):
    """Between a socket and a connection: speaks WebSocket on one side, bytes on the other.

    The connection inside counts as made as soon as the socket is: its handshake timeout, and the
    limits of its listener, cover those who are slow with their HTTP headers too.
    """

    def __init__(self, inner: Connection, speaker: ClientProtocol | ServerProtocol) -> None:
        self.finished = False
        """The closing message is sent, or will be."""
        self.waiting = 0
        """Bytes that wait until the other side speaks WebSocket."""
        self._inner = inner
        self._speaker = speaker
        self._early: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    # -- the connection inside --------------------------------------------------------------------

    def send(self, data: memoryview) -> None:
        """Send bytes in one message, later if the other side does not speak WebSocket yet."""
        if self.finished:
            return
        if not self._is_open:
            self._early.append(bytes(data))
            self.waiting += len(data)
            return
        self._speaker.send_binary(data)
        self._flush()

    def finish(self) -> None:
        """Send the closing message, unless one side has."""
        if not self.finished:
            self.finished = True
            if self._is_open:
                self._speaker.send_close(1000)
                self._flush()

    @property
    def _is_open(self) -> bool:
        return self._speaker.state.name == "OPEN"

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        pieces = self._speaker.data_to_send()
        for data in pieces:
            if transport.is_closing():
                return
            if data:
                transport.write(data)
            else:
                transport.write_eof()  # an empty piece asks for that

    # -- the socket -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._hello()
        self._flush()
        self._inner.connection_made(WebSocketTransport(self, self._transport))

    def _hello(self) -> None:
        """What this side says first."""

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have arrived."""
        self._speaker.receive_data(data)
        for event in self._speaker.events_received():
            self._event(event)
        self._flush()
        if self._early and self._is_open:
            early, self._early = self._early, []
            self.waiting = 0
            for piece in early:
                self.send(memoryview(piece))
        if self._speaker.handshake_exc is not None or self._speaker.close_expected():
            self._ended()

    def _event(self, event: Any) -> None:
        """A frame, or the other side's half of the HTTP handshake."""
        from websockets.frames import Frame, Opcode

        if not isinstance(event, Frame):
            self._answered(event)
        elif event.opcode in (Opcode.BINARY, Opcode.CONT):
            self._feed(memoryview(event.data))
        elif event.opcode is Opcode.TEXT:
            self._speaker.fail(1003)  # unsupported data; we speak bytes

    def _answered(self, event: Any) -> None:
        raise NotImplementedError

    def _feed(self, view: memoryview) -> None:
        inner = self._inner
        while len(view) and not inner.closed:
            buffer = inner.get_buffer(len(view))
            count = min(len(view), len(buffer))
            buffer[:count] = view[:count]
            inner.buffer_updated(count)
            view = view[count:]

    def _ended(self) -> None:
        """WebSocket is over here: so is the connection, and the socket once all is sent."""
        self._inner.eof_received()
        if self._transport is not None:
            self.finished = True
            self._transport.close()

    def eof_received(self) -> bool:
        """asyncio: the other side has finished."""
        self._speaker.receive_eof()
        self._flush()
        self._inner.eof_received()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio: the socket is gone."""
        self._transport = None
        self._early.clear()
        self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        """asyncio: the kernel takes no more."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """asyncio: the kernel takes more."""
        self._inner.resume_writing()


class ServerWire(WebSocketWire):
    """The side that was dialled."""

    def __init__(self, inner: Connection) -> None:
        from websockets.server import ServerProtocol

        super().__init__(inner, ServerProtocol(max_size=MAX_INCOMING))

    def _answered(self, event: Any) -> None:
        speaker = cast("ServerProtocol", self._speaker)
        speaker.send_response(speaker.accept(event))


class ClientWire(WebSocketWire):
    """The side that dials."""

    def __init__(self, inner: Connection, url: str) -> None:
        from websockets.client import ClientProtocol
        from websockets.uri import parse_uri

        super().__init__(inner, ClientProtocol(parse_uri(url), max_size=MAX_INCOMING))

    def _hello(self) -> None:
        speaker = cast("ClientProtocol", self._speaker)
        speaker.send_request(speaker.connect())

    def _answered(self, event: Any) -> None:
        if self._speaker.handshake_exc is not None:
            self._inner.abort(
                HandshakeError(f"No WebSocket answers there (status {event.status_code}).", _HINT)
            )
