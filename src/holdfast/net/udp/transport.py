"""A UDX stream as an asyncio transport: it drives the same protocols as a TCP connection.

The protocol lives in `holdfast.udx.Stream`; this file lends it the loop's clock and a socket, and
turns its events into the calls that asyncio promises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from holdfast.net.udp.delivery import Delivery
from holdfast.net.udp.ending import Ending, wants_more
from holdfast.net.udp.pulse import Pulse
from holdfast.net.udp.stats import UdxStats, stats_of
from holdfast.net.udp.table import StreamTable
from holdfast.net.udp.writing import Writing
from holdfast.udx import (
    IPV4_BYTES,
    IPV6_BYTES,
    Addr,
    Buffer,
    Message,
    RemoteChanged,
    Stream,
)

if TYPE_CHECKING:
    from holdfast.net.udp.socket import UdpSocket

OnFirstPacket: TypeAlias = Callable[["UdpSocket", Addr], bool]

CLOSE_WAIT = 2.0
"""Seconds that `close` waits, once everything has arrived, for the other side to end too."""

log = logging.getLogger(__name__)


class UdxTransport(asyncio.Transport):
    """One end of a stream; made by `UdpSocket.stream`.

    The protocol's `connection_made` is called once, within whichever of `connect` and
    `set_protocol` comes second. Data that arrives before waits in the stream.
    """

    def __init__(
        self,
        table: StreamTable,
        local_id: int,
        *,
        on_first_packet: OnFirstPacket | None = None,
        keep_alive: float = 0.0,
    ) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self.id = local_id
        """What the other side calls it."""
        self.socket: UdpSocket | None = None
        """The socket it sends through, once connected."""
        self.on_first_packet = on_first_packet
        """Asked about packets that do not come from the remote: see `UdpSocket.stream`."""
        self.on_message: Callable[[bytes], None] | None = None
        """Gets unreliable messages."""
        self.on_remote_changed: Callable[[], None] | None = None
        """Called when everything sent the old way has arrived, after `change_remote`."""
        self.stream = Stream(local_id, self._loop.time(), keep_alive=keep_alive, admit=self._admits)
        """The state machine."""
        self._table = table
        self._protocol: asyncio.BaseProtocol | None = None
        self._made = False
        self._arrival: UdpSocket | None = None  # the socket of the packet in hand
        self._delivery = Delivery(self.stream)
        self._ending = Ending(self.stream, self._delivery)
        self._closing = False
        self._writing = Writing(self.stream)
        self._pulse = Pulse(self.stream, self.flush)
        self._close_timer: asyncio.TimerHandle | None = None
        self._bytes_sent = 0
        table.add(self)

    # -- facts ----------------------------------------------------------------------------------

    @property
    def stats(self) -> UdxStats:
        """How it fares."""
        received = self._delivery.delivered
        return stats_of(self.stream, sent=self._bytes_sent, received=received)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """asyncio: ``peername``, ``sockname``, or ``udx``: this transport."""
        if name == "peername":
            return self.stream.remote or default
        if name == "sockname":
            return (self.socket.host, self.socket.port) if self.socket is not None else default
        return self if name == "udx" else default

    def get_protocol(self) -> asyncio.BaseProtocol:
        """asyncio: who gets the data."""
        if self._protocol is None:
            raise RuntimeError("no protocol yet")
        return self._protocol

    def is_closing(self) -> bool:
        """asyncio: whether it is closed or about to."""
        return self._closing or self.stream.closed

    def is_reading(self) -> bool:
        """asyncio: whether data is handed over."""
        return self._delivery.reading and not self.is_closing()

    # -- where the other end is -----------------------------------------------------------------

    def connect(self, socket: UdpSocket, remote_id: int, addr: Addr) -> None:
        """Say where the other end is and what it calls the stream; from now on we send."""
        if self.stream.connected:
            raise RuntimeError("the stream is connected already")
        self._use(socket)
        self.stream.connect(remote_id, addr, self._loop.time())
        self._begin()
        self._pulse.wake()

    def change_remote(self, socket: UdpSocket, remote_id: int, addr: Addr) -> None:
        """The other end is reached another way from now on (relayed to direct, another address)."""
        if not self.stream.connected:
            raise RuntimeError("the stream is not connected yet")
        self._use(socket)
        self.stream.change_remote(remote_id, addr, self._loop.time())
        self._pulse.wake()

    def _use(self, socket: UdpSocket) -> None:
        self.socket = socket
        self.stream.sender.overhead = 20 + (IPV6_BYTES if socket.is_ipv6 else IPV4_BYTES)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """asyncio: who gets the data; the first one also `connection_made`, once connected."""
        self._protocol = self._delivery.protocol = protocol
        self._begin()
        self._pulse.wake()

    def _begin(self) -> None:
        if self._protocol is not None and self.stream.connected and not self._made:
            self._made = True
            self._protocol.connection_made(self)

    # -- writing --------------------------------------------------------------------------------

    def write(self, data: Buffer) -> None:
        """asyncio: send bytes, at the end of this turn with whatever else comes."""
        if self.is_closing() or not data:
            return
        self._bytes_sent += len(data)
        self.stream.write(data if isinstance(data, bytes) else bytes(data))
        self._heed_writes()
        self._pulse.wake()

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        """asyncio: send several."""
        for data in list_of_data:
            self.write(data)

    def write_eof(self) -> None:
        """asyncio: nothing more will be written; what comes in is still read."""
        self.stream.end()
        self._pulse.wake()

    def can_write_eof(self) -> bool:
        """asyncio: yes."""
        return True

    def send_message(self, data: bytes) -> None:
        """Send a small message once; it may get lost or overtake the stream."""
        self.stream.message(data)
        self._pulse.wake()

    def get_write_buffer_size(self) -> int:
        """asyncio: bytes waiting, beyond what a kernel would take."""
        return self._writing.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """asyncio: (low, high)."""
        return self._writing.low, self._writing.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """asyncio: when writers are told to stop, and to go on."""
        self._writing.set_limits(high, low)
        self._heed_writes()

    def _heed_writes(self) -> None:
        if self._protocol is not None:
            self._guard(self._writing.tell, self._protocol)

    # -- reading --------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """asyncio: hand over nothing; the other side stops once our window is full."""
        self._delivery.reading = False

    def resume_reading(self) -> None:
        """asyncio: hand over again, at the end of this turn."""
        self._delivery.reading = True
        self._pulse.wake()

    def receive(
        self, socket: UdpSocket, data: memoryview, segment: int, addr: Addr, now: float
    ) -> None:
        """Datagrams for this stream have arrived; `flush` must follow."""
        self._arrival = socket
        self.stream.receive(data, addr, now, segment)
        self._arrival = None

    def _admits(self, addr: Addr) -> bool:
        if self.on_first_packet is None or self._arrival is None:
            return False
        try:
            return bool(self.on_first_packet(self._arrival, addr))
        except Exception:
            log.exception("the handler of a first packet failed")
            return False

    # -- the turn -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send what may leave, hand over what has arrived, and see when to look again."""
        self._send()
        if self._made and not self._ending.lost:
            self._guard(self._delivery.hand_over)
            if self.stream.owes_ack:
                self._send()
        for event in self.stream.events():
            if isinstance(event, Message) and self.on_message is not None:
                self._guard(self.on_message, event.data)
            elif isinstance(event, RemoteChanged) and self.on_remote_changed is not None:
                self._guard(self.on_remote_changed)
        self._heed_writes()
        self._heed_end()
        if self.stream.gone:
            self.forget()
        self._pulse.arm()

    def _send(self) -> None:
        socket = self.socket
        if socket is None or socket.blocked:
            return
        for burst in self.stream.to_send(self._loop.time()):
            socket.send_burst(burst)

    def _guard(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call the user; what it does not catch ends the stream, as asyncio does."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("a protocol over UDX failed")
            self.abort()

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """asyncio: send what is queued, then end; what still comes in is dropped."""
        if self._closing:
            return
        self._closing = True
        self._delivery.drop = True
        if not self.stream.connected:
            self.abort()
            return
        self.stream.end()
        self._pulse.wake()

    def abort(self) -> None:
        """asyncio: end it now; the other side is told."""
        self._closing = True
        self._delivery.drop = True
        self.stream.destroy(self._loop.time())
        self._send()
        self._pulse.wake()

    def forget(self) -> None:
        """Answer nobody any more: the socket is gone, or the other side has had its time."""
        self._table.remove(self)
        self._pulse.stop()
        if self._close_timer is not None:
            self._close_timer.cancel()

    def _heed_end(self) -> None:
        protocol, ending = self._protocol, self._ending
        if protocol is not None and self._made:
            if ending.at_end():
                self._guard(self._eof, protocol)
            if ending.at_loss():
                self._loop.call_soon(protocol.connection_lost, ending.error())
        finished = self._closing and self.stream.sender.finished and not self.stream.closed
        if finished and self._close_timer is None:
            self._close_timer = self._loop.call_later(CLOSE_WAIT, self.abort)

    def _eof(self, protocol: asyncio.BaseProtocol) -> None:
        if not self._closing and not wants_more(protocol):
            self.close()
