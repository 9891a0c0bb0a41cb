"""One authenticated, encrypted, multiplexed connection over TCP or UDX: a thin adapter.

The protocol lives in `SecretStream` and `Mux`; this file moves bytes between them and a socket,
lends them the loop's clock, and says in one place how a connection ends. What is sent within one
turn of the loop leaves together (small writes coalesce).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

from holdfast.crypto import KeyPair
from holdfast.errors import ClosedError, HandshakeError, HoldfastError, PeerUnreachable
from holdfast.net.address import Address
from holdfast.net.heartbeat import Heartbeat
from holdfast.net.malloc import keep_freed_memory
from holdfast.net.outgoing import Outgoing
from holdfast.wire import HandshakeResult, Mux, SecretStream

RECEIVE_BUFFER = 1024 * 1024
"""Bytes taken from the socket at once: sixteen 64 KiB blocks share the price of a turn of the loop.

A reader of such blocks takes a sixth less time than with 256 KiB. Only pages that something arrived
in take memory."""
HANDSHAKE_BUFFER = 8 * 1024
"""Bytes taken at once from somebody who has not proven a key yet."""
IDLE_TIMEOUT = 30.0
"""Seconds of silence after which a peer is dead: it sends something at least every five."""
LINGER = 2.0
"""Seconds that `close` lets the other side take what is already on its way."""

HEADER_BYTES = 3 + 56
"""The frame in which a side shows that it has the keys of this connection."""
ACCEPTED_BYTES = (3 + 96) + HEADER_BYTES
"""What a dialler has received once it is accepted: a Noise message and the stream's header."""

log = logging.getLogger(__name__)

_CLOSED_HINT = "It may be something else than a peer, or not let this node connect."

OnClose = Callable[[HoldfastError], object]
Admit = Callable[["Connection"], None]


class Connection(asyncio.BufferedProtocol):
    """A connection and its mux, opened once both keys are proven.

    Made by `dial` and `Listener` over TCP, by `dht_connect` and `DhtServer` over UDX.
    """

    def __init__(
        self,
        initiator: bool,
        key_pair: KeyPair,
        *,
        expected_key: bytes | None = None,
        admit: Admit | None = None,
        on_open: Admit | None = None,
        idle_timeout: float | None = IDLE_TIMEOUT,
        result: HandshakeResult | None = None,
        route: str = "direct",
    ) -> None:
        """``admit`` is called once the other side has proven its key and before it learns that we
        accept; it raises a HoldfastError to refuse. ``on_open`` is called before any message is
        handled, so that what it sets up misses none.

        With ``result`` the handshake was done elsewhere (in packets of the DHT), and ``admit`` is
        not asked again; it is open once the other side has shown that it has the keys.
        """
        keep_freed_memory()
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        """When the last bytes arrived, on the loop's clock."""
        self.is_initiator = initiator
        self.route = route
        """How the bytes go: "direct", "lan", "punched" or "relayed"."""
        self.relay_addresses: tuple[Address, ...] = ()
        """DHT nodes through which the other side can be called again."""
        self.public_key = key_pair.public_key
        self.remote_public_key = b""
        """The key that the other side has proven; empty before."""
        self.handshake_hash = b""
        """64 bytes that only this connection has; empty before both keys are proven."""
        self.mux = Mux(wake=self._wake)
        self.remote_address: Address | None = None
        self.began = self.heard_at
        self.opened_at = 0.0
        self.reason: HoldfastError | None = None
        """Why it closed, once it has."""
        if result is None:
            self._stream = SecretStream(
                initiator,
                key_pair,
                expected_remote_key=expected_key,
                idle_timeout=idle_timeout,
                now=self.began,
            )
            self._accepted_at = ACCEPTED_BYTES if initiator else 0
        else:
            self._stream = SecretStream.after_handshake(
                initiator, result, idle_timeout=idle_timeout, now=self.began
            )
            self._accepted_at = HEADER_BYTES
            self.remote_public_key = result.remote_public_key
            self.handshake_hash = result.handshake_hash
        self._admit = admit if result is None else None
        self._on_open = on_open
        self._close_callbacks: list[OnClose] = []
        self._buffer = memoryview(b"")
        self._transport: asyncio.Transport | None = None
        self._outgoing: Outgoing | None = None
        self._heartbeat = Heartbeat(
            self._stream, beat=self._flush, fail=self.abort, deaf=lambda: self._pauses > 0
        )
        self._flush_due = False
        self._stopped = False
        self._pauses = 0
        self._mux_paused = False
        self._admitted = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()

    # -- facts ----------------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """Whether both sides have accepted each other and it is not closed."""
        return self._ready.done() and self.reason is None

    @property
    def paused(self) -> bool:
        """Whether we take nothing now, so that the other side's silence means nothing."""
        return self._pauses > 0

    @property
    def closed(self) -> bool:
        """Whether it has ended, or is about to."""
        return self.reason is not None

    @property
    def bytes_sent(self) -> int:
        """Bytes on the wire so far, handshake and overhead included."""
        return self._stream.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Bytes off the wire so far, handshake and overhead included."""
        return self._stream.bytes_received

    # -- use ------------------------------------------------------------------------------------

    def on_close(self, callback: OnClose) -> None:
        """Call ``callback(reason)`` once when the connection ends, at once if it has already."""
        if self.reason is not None:
            callback(self.reason)
        else:
            self._close_callbacks.append(callback)

    async def wait_open(self) -> None:
        """Return once both sides have accepted each other; raises what ended it before that."""
        await asyncio.shield(self._ready)

    async def wait_closed(self) -> None:
        """Return once the socket is gone."""
        await asyncio.shield(self._gone)

    def pause_reading(self) -> None:
        """Take no more from the other side until as many `resume_reading`; it will stop sending."""
        self._pauses += 1
        if self._pauses == 1 and self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Undo one `pause_reading`."""
        self._pauses -= 1
        if self._pauses == 0 and self._transport is not None and not self.closed:
            self.heard_at = self._loop.time()
            self._heartbeat.heard()
            self._transport.resume_reading()

    def ping(self) -> None:
        """Send an empty message now: if the other side is gone, the socket finds out."""
        if self.opened:
            self._stream.write(b"")
            self._wake()

    def close(self, reason: HoldfastError | None = None) -> None:
        """End it: what was queued is still sent (for at most `LINGER` seconds). Idempotent."""
        reason = reason or ClosedError("The connection was closed here.")
        transport, outgoing = self._transport, self._outgoing
        if self.closed or not self.opened or transport is None or outgoing is None:
            self.abort(reason)
            return
        self._flush()
        if self._pauses:
            transport.resume_reading()
        outgoing.finish()
        # A socket closed while data still comes in would reset the connection, and the other side
        # would lose what it has not read yet: half-close, and let it close first.
        try:
            transport.write_eof()
        except OSError:  # the other side has reset it, and asyncio has not told us yet
            transport.abort()
        self._loop.call_later(LINGER, transport.abort)
        self._end(reason)

    def abort(self, reason: HoldfastError) -> None:
        """End it at once; nothing more is sent. Idempotent."""
        if self.closed:
            return
        if self._outgoing is not None:
            self._outgoing.forget()
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    # -- the transport's calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._outgoing = Outgoing(self._transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.remote_address = Address(str(peer[0]), int(peer[1]))
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != getattr(socket, "AF_UNIX", None):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.closed:
            self._transport.abort()
            return
        self._buffer = memoryview(bytearray(HANDSHAKE_BUFFER))
        if self._pauses:
            self._transport.pause_reading()
        self._flush()
        self._heartbeat.start()

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio: where to put what arrives."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: so many bytes have arrived."""
        if self.closed:
            return
        self.heard_at = now = self._loop.time()
        try:
            messages = self._stream.receive(self._buffer[:nbytes], now)
            if not self.opened:
                self._advance()
            receive = self.mux.receive
            for message in messages:
                receive(message)
        except HoldfastError as error:
            self.abort(error)
        except Exception as error:
            log.exception("a message handler failed")
            self.abort(HoldfastError(f"A message could not be handled: {type(error).__name__}."))
        else:
            if not self.mux.reading and not self._mux_paused:
                self._mux_paused = True
                self.pause_reading()

    def eof_received(self) -> None:
        """asyncio: the other side has finished; so do we."""
        if not self.opened:
            self._end(
                HandshakeError(
                    "The other side closed the connection during the handshake.", _CLOSED_HINT
                )
            )

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio: the socket is gone."""
        if error is None:
            self._end(ClosedError("The other side closed the connection."))
        else:
            words = getattr(error, "strerror", None) or str(error)
            self._end(PeerUnreachable(f"The connection broke: {words}."))
        self._transport = None
        self._buffer = memoryview(b"")  # somebody may keep this object long after
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        """asyncio: the kernel takes no more."""
        if self._outgoing is not None:
            self._outgoing.block()

    def resume_writing(self) -> None:
        """asyncio: the kernel takes more."""
        if self._outgoing is None:
            return
        self._outgoing.unblock()
        self._release()

    # -- the turn -------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Something is queued: send it at the end of this turn, with whatever else comes."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        stream, outgoing = self._stream, self._outgoing
        if self.closed or outgoing is None:
            return
        if stream.opened:
            for parts in self.mux.to_send():
                stream.write_parts(parts)
        pieces = stream.to_send(self._loop.time())
        if pieces:
            outgoing.write(pieces)
            if outgoing.full and not self._stopped:
                self._stopped = True
                self.mux.pause_writing()
        if self._mux_paused and self.mux.reading:
            self._mux_paused = False
            self.resume_reading()

    def _release(self) -> None:
        """Let senders go on once enough has left."""
        outgoing = self._outgoing
        if self._stopped and outgoing is not None and outgoing.low:
            self._stopped = False
            self.mux.resume_writing()

    def _advance(self) -> None:
        """Carry the handshake on."""
        stream = self._stream
        if stream.opened and not self._admitted:
            self._admitted = True
            self.remote_public_key = stream.remote_public_key
            self.handshake_hash = stream.handshake_hash
            if self._admit is not None:
                self._admit(self)
        if self._accepted and not self._ready.done():
            self.opened_at = self._loop.time()
            self._ready.set_result(None)
            self._buffer = memoryview(bytearray(RECEIVE_BUFFER))
            if self._on_open is not None:
                self._on_open(self)
        self._flush()

    @property
    def _accepted(self) -> bool:
        """Whether the other side has shown that it accepts our key, as we do theirs."""
        stream = self._stream
        return stream.opened and stream.bytes_received >= self._accepted_at

    # -- the end --------------------------------------------------------------------------------

    def _end(self, reason: HoldfastError) -> None:
        if self.reason is not None:
            return
        self.reason = reason
        self._heartbeat.stop()
        if not self._ready.done():
            self._ready.set_exception(reason)
            self._ready.exception()  # whoever does not wait need not be told
        self._stream.close()
        self.mux.shut_down()
        callbacks, self._close_callbacks = self._close_callbacks, []
        for callback in callbacks:
            callback(reason)
        if self._transport is None and not self._gone.done():
            self._gone.set_result(None)
