"""A client's channel with one relay, as long as their connection lasts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from holdfast.encoding import decode_uint, encode_uint
from holdfast.errors import ClosedError, HoldfastError, RemoteError, UnavailableError
from holdfast.net.connection import Connection
from holdfast.net.relay.stream import RelayedStream
from holdfast.net.relay.wire import (
    ANSWER,
    ASK,
    CLOSE,
    DATA,
    END,
    JOIN,
    LEAVE,
    OPEN,
    PEERS,
    PROTOCOL,
    PUBLISH,
    WINDOW,
    Place,
    Reason,
    RelayRefused,
    Welcome,
    decode_key,
    decode_keys,
    decode_places,
    decode_welcome,
    encode_hello,
    speaks_ours,
)

MAX_STREAMS = 128
"""Streams that one relay may have open with us: each may hold a window."""
ASK_TIMEOUT = 15.0
"""Seconds for a lookup that the relay makes for us: a few round trips through the DHT."""

Incoming = Callable[[RelayedStream], None]
Found = Callable[[bytes, list[bytes]], None]


class RelayLink:
    """What a client says to a relay over one connection. Callbacks are set before `open`."""

    def __init__(
        self,
        connection: Connection,
        *,
        on_incoming: Incoming,
        on_peers: Found,
        on_quiet: Callable[[], object] = lambda: None,
    ) -> None:
        """``on_incoming`` gets streams others open to us, ``on_peers`` (relay topic, keys).

        ``on_quiet`` is called soon after the last stream has ended.
        """
        self.connection = connection
        self.welcome: Welcome | None = None
        self.streams: dict[int, RelayedStream] = {}
        self._on_incoming, self._on_peers, self._on_quiet = on_incoming, on_peers, on_quiet
        loop = asyncio.get_running_loop()
        self._next, self._last_in = 0, -1
        self._questions: dict[int, asyncio.Future[list[Place]]] = {}
        self._asked = 0
        self._ready: deque[RelayedStream] = deque()
        self._pumping = False
        self._opened: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._channel = connection.mux.channel(PROTOCOL, connection.public_key)
        self._channel.handlers = self._handlers()
        self._channel.on_open = self._on_open
        self._channel.on_close = self._on_close
        self._channel.on_drain = self._pump
        self._channel.open(encode_hello())

    def _handlers(self) -> list[Callable[[memoryview], None] | None]:
        handlers: list[Callable[[memoryview], None] | None] = [None] * (PUBLISH + 1)
        handlers[PEERS] = self._got_peers
        handlers[OPEN] = self._got_open
        handlers[DATA] = self._got_data
        handlers[WINDOW] = self._got_window
        handlers[END] = self._got_end
        handlers[CLOSE] = self._got_close
        handlers[ANSWER] = self._got_answer
        return handlers

    # -- facts ------------------------------------------------------------------------------------

    @property
    def public_key(self) -> bytes:
        """Who the relay is."""
        return self.connection.remote_public_key

    @property
    def closed(self) -> bool:
        """Whether the relay is gone, or never was one."""
        return self._gone.done()

    async def wait_open(self) -> None:
        """Return once the relay has taken us. Raises `UnavailableError` when it does not relay."""
        await asyncio.shield(self._opened)

    async def wait_closed(self) -> None:
        """Return once the channel is gone."""
        await asyncio.shield(self._gone)

    # -- to the relay -----------------------------------------------------------------------------

    def join(self, topic: bytes, flags: int) -> None:
        """Be told of, or to, the others of a relay topic."""
        self._channel.send(JOIN, topic + encode_uint(flags))

    def leave(self, topic: bytes) -> None:
        """Undo a join."""
        self._channel.send(LEAVE, topic)

    def publish(self, record: bytes) -> None:
        """Have the relay keep a record of ours in the DHT."""
        self._channel.send(PUBLISH, record)

    def open(self, public_key: bytes) -> RelayedStream:
        """A stream to a peer; it is closed with `RelayRefused` when that cannot be."""
        if self.closed:
            raise UnavailableError("The connection with the relay is gone.")
        if len(self.streams) >= MAX_STREAMS:
            raise RelayRefused(Reason.TOO_MANY)
        stream = RelayedStream(self, self._next, public_key)
        self._next += 2
        self.streams[stream.number] = stream
        self._channel.send(OPEN, encode_uint(stream.number) + public_key)
        return stream

    async def ask(self, kind: int, key: bytes, *, timeout: float = ASK_TIMEOUT) -> list[Place]:
        """Have the relay look something up. Raises `UnavailableError` when it does not answer."""
        if self.closed:
            raise UnavailableError("The connection with the relay is gone.")
        self._asked += 1
        number = self._asked
        answer: asyncio.Future[list[Place]] = asyncio.get_running_loop().create_future()
        self._questions[number] = answer
        self._channel.send(ASK, encode_uint(number) + encode_uint(kind) + key)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise UnavailableError("The relay did not answer a question in time.") from None
        finally:
            self._questions.pop(number, None)

    def close(self) -> None:
        """Leave the relay; the connection stays."""
        self._channel.close()

    # -- a stream's line --------------------------------------------------------------------------

    def ready(self, stream: RelayedStream) -> None:
        """See `Line`."""
        if stream not in self._ready:
            self._ready.append(stream)
        if not self._pumping:
            self._pump()

    def _pump(self) -> None:
        """One piece of each stream in turn, while the connection takes them."""
        self._pumping = True
        try:
            ready, channel = self._ready, self._channel
            while ready and channel.drained and not channel.closed:
                stream = ready.popleft()
                piece = stream.send_piece()
                if piece is not None:
                    channel.send(DATA, (encode_uint(stream.number), piece))
                    ready.append(stream)
                    stream.sent()
        finally:
            self._pumping = False

    def confirm(self, stream: RelayedStream, count: int) -> None:
        """See `Line`."""
        self._channel.send(WINDOW, encode_uint(stream.number) + encode_uint(count))

    def end(self, stream: RelayedStream) -> None:
        """See `Line`."""
        self._channel.send(END, encode_uint(stream.number))

    def forget(self, stream: RelayedStream, reason: Reason) -> None:
        """See `Line`."""
        if self._drop(stream):
            self._channel.send(CLOSE, encode_uint(stream.number) + encode_uint(reason))

    def _drop(self, stream: RelayedStream) -> bool:
        """Whether the stream was still there."""
        if self.streams.pop(stream.number, None) is None:
            return False
        if not self.streams:
            asyncio.get_running_loop().call_soon(self._on_quiet)
        return True

    # -- from the relay ---------------------------------------------------------------------------

    def _on_open(self, handshake: memoryview) -> None:
        if not speaks_ours(handshake):
            error = UnavailableError("The relay speaks another version of its protocol.")
            self._opened.set_exception(error)
            self._opened.exception()  # nobody may be waiting
            self._channel.close()
            return
        self.welcome = decode_welcome(handshake)
        self._opened.set_result(None)

    def _got_peers(self, body: memoryview) -> None:
        topic, position = decode_key(body, 0)
        keys, _ = decode_keys(body, position)
        self._on_peers(topic, keys)

    def _got_open(self, body: memoryview) -> None:
        number, position = decode_uint(body, 0)
        key, _ = decode_key(body, position)
        if number <= self._last_in or number % 2 == 0:
            raise RemoteError("A relay opens a stream under a number that is not free.")
        self._last_in = number
        stream = RelayedStream(self, number, key)
        self.streams[number] = stream
        if len(self.streams) > MAX_STREAMS:
            stream.abort(Reason.BUSY)
        else:
            self._on_incoming(stream)

    def _stream(self, body: memoryview) -> tuple[RelayedStream | None, int]:
        number, position = decode_uint(body, 0)
        return self.streams.get(number), position

    def _got_data(self, body: memoryview) -> None:
        stream, position = self._stream(body)
        if stream is not None:
            stream.receive(body[position:])

    def _got_window(self, body: memoryview) -> None:
        stream, position = self._stream(body)
        if stream is not None:
            stream.credit(decode_uint(body, position)[0])

    def _got_end(self, body: memoryview) -> None:
        stream, _ = self._stream(body)
        if stream is not None:
            stream.ended()

    def _got_close(self, body: memoryview) -> None:
        stream, position = self._stream(body)
        reason, _ = decode_uint(body, position)
        if stream is not None:
            self._drop(stream)
            stream.closed(RelayRefused(reason))

    def _got_answer(self, body: memoryview) -> None:
        number, position = decode_uint(body, 0)
        places, _ = decode_places(body, position)
        answer = self._questions.get(number)
        if answer is not None and not answer.done():
            answer.set_result(places)

    def _on_close(self, remote: bool) -> None:
        error = self._why(remote)
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # nobody may be waiting
        if not self._gone.done():
            self._gone.set_result(None)
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(error)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.closed(error)

    def _why(self, remote: bool) -> HoldfastError:
        if not remote:
            return ClosedError("The relay was left.")
        if self.connection.reason is not None:
            return UnavailableError(f"The relay is gone: {self.connection.reason.message}")
        if self.welcome is not None:
            return UnavailableError("The relay does not serve this node any more.")
        return UnavailableError(
            "This peer does not relay.", "Ask its owner to start it as a relay, or choose another."
        )
