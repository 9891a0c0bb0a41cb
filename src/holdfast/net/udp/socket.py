"""One bound UDP socket, shared by everything that speaks UDP: streams, DHT messages, probes.

What arrives is sorted by its first bytes: packets of a known stream go to that stream, single bytes
are hole-punch probes, the rest goes to `on_datagram`. Packets of unknown streams are dropped here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from holdfast.crypto import random_bytes
from holdfast.errors import ClosedError, ListenError
from holdfast.net.udp.offload import MAX_DATAGRAMS, Datagrams
from holdfast.net.udp.table import StreamTable
from holdfast.net.udp.transport import OnFirstPacket, UdxTransport
from holdfast.udx import HEADER_BYTES, Addr, Burst

TURN_READS = 64
"""Calls to the kernel in one turn of the loop; others want their turn too."""
TURN_BYTES = 1024 * 1024
"""The same in bytes: about four milliseconds of work."""

OnDatagram: TypeAlias = Callable[[bytes, Addr], None]
OnProbe: TypeAlias = Callable[[Addr], None]

log = logging.getLogger(__name__)


class UdpSocket:
    """A bound socket; made by `bind`."""

    def __init__(self, datagrams: Datagrams, table: StreamTable) -> None:
        self._datagrams = datagrams
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(MAX_DATAGRAMS)
        self._blocked: deque[Burst] = deque()
        self.table = table
        """The streams whose packets may arrive here."""
        self.host, self.port = datagrams.socket.getsockname()[:2]
        self.on_datagram: OnDatagram | None = None
        """Gets every datagram that is neither of a stream nor a probe."""
        self.on_probe: OnProbe | None = None
        """Gets where single bytes come from."""
        self.closed = False
        self.unknown = 0
        """Packets for streams that do not exist."""
        self._loop.add_reader(datagrams.socket, self._on_readable)

    @classmethod
    async def bind(
        cls,
        host: str = "0.0.0.0",
        port: int = 0,
        *,
        table: StreamTable | None = None,
        random: Callable[[int], bytes] = random_bytes,
    ) -> UdpSocket:
        """Bind a socket (port 0: any free one). Raises `ListenError`.

        Sockets of one node share a ``table``: a stream may move between them.
        """
        try:
            datagrams = Datagrams(host, port)
        except (OSError, OverflowError) as failure:
            raise _cannot(host, port, failure) from failure
        return cls(datagrams, table if table is not None else StreamTable(random))

    # -- use ------------------------------------------------------------------------------------

    @property
    def is_ipv6(self) -> bool:
        """Whether its addresses are IPv6 numbers."""
        return ":" in self.host

    @property
    def blocked(self) -> bool:
        """Whether the kernel takes no more now; streams wait then."""
        return bool(self._blocked)

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel did not take."""
        return self._datagrams.dropped

    def send(self, data: bytes, addr: Addr, *, ttl: int | None = None) -> None:
        """Send one datagram, never waiting: it is dropped when there is no room."""
        if not self.closed:
            self._datagrams.send(data, addr, ttl)

    def send_burst(self, burst: Burst) -> None:
        """Send packets of a stream; what the kernel does not take now leaves later, in order."""
        if self.closed:
            return
        if self._blocked:
            self._blocked.append(burst)
            return
        rest = self._datagrams.send_burst(burst)
        if rest is not None:
            self._blocked.append(rest)
            self._loop.add_writer(self._datagrams.socket, self._on_writable)

    def stream(
        self,
        local_id: int | None = None,
        *,
        on_first_packet: OnFirstPacket | None = None,
        keep_alive: float = 0.0,
    ) -> UdxTransport:
        """A new stream, not connected yet; ``local_id`` is random if not given.

        ``on_first_packet(socket, addr)`` is asked about packets for it that do not come from its
        remote, before `UdxTransport.connect` and after: True takes the packet, False ignores it.
        """
        if self.closed:
            raise ClosedError("The socket is closed.")
        return UdxTransport(
            self.table,
            self.table.free_id() if local_id is None else local_id,
            on_first_packet=on_first_packet,
            keep_alive=keep_alive,
        )

    async def close(self) -> None:
        """Destroy the streams that use it and give the port back. Idempotent."""
        if self.closed:
            return
        streams = self.table.on_socket(self)
        for stream in streams:
            stream.abort()
        self.closed = True
        self._loop.remove_reader(self._datagrams.socket)
        self._loop.remove_writer(self._datagrams.socket)
        self._blocked.clear()
        self._datagrams.socket.close()
        for stream in streams:
            stream.forget()
        await asyncio.sleep(0)  # their protocols learn of it

    # -- the loop's calls -----------------------------------------------------------------------

    def _on_writable(self) -> None:
        while self._blocked:
            rest = self._datagrams.send_burst(self._blocked[0])
            if rest is not None:
                self._blocked[0] = rest
                return
            self._blocked.popleft()
        self._loop.remove_writer(self._datagrams.socket)
        for stream in self.table.on_socket(self):
            stream.flush()

    def _on_readable(self) -> None:
        """Drain what has arrived, then let every stream that got something answer once."""
        touched: dict[UdxTransport, None] = {}
        now = self._loop.time()
        taken, buffer, receive = 0, self._buffer, self._datagrams.receive_into
        view = memoryview(buffer)
        try:
            for _ in range(TURN_READS):
                size, segment, addr = receive(buffer)
                self._sort(view[:size], segment, addr, now, touched)
                taken += size
                if taken > TURN_BYTES or self.closed:
                    break
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:  # an ICMP message about something sent before, on some systems
            log.debug("receiving failed: %s", error)
        for stream in touched:
            stream.flush()

    def _sort(
        self,
        data: memoryview,
        segment: int,
        addr: Addr,
        now: float,
        touched: dict[UdxTransport, None],
    ) -> None:
        if segment < len(data) and not _one_stream(data, segment):
            for at in range(0, len(data), segment):
                self._sort(data[at : at + segment], segment, addr, now, touched)
        elif len(data) >= HEADER_BYTES and data[0] == 0xFF and data[1] == 1:
            stream = self.table.get(int.from_bytes(data[4:8], "little"))
            if stream is None:
                self.unknown += 1
            else:
                stream.receive(self, data, segment, addr, now)
                touched[stream] = None
        else:
            self._hand_over(data, addr)

    def _hand_over(self, data: memoryview, addr: Addr) -> None:
        try:
            if len(data) == 1:
                if self.on_probe is not None:
                    self.on_probe(addr)
            elif self.on_datagram is not None:
                self.on_datagram(bytes(data), addr)
        except Exception:
            log.exception("a datagram's handler failed")


def _one_stream(data: memoryview, segment: int) -> bool:
    """Whether all datagrams of a row are packets of one stream."""
    if segment < HEADER_BYTES or 0 < len(data) % segment < HEADER_BYTES:
        return False
    count = -(-len(data) // segment)
    return all(
        bytes(data[at::segment][:count]).count(data[at]) == count for at in (0, 1, 4, 5, 6, 7)
    )


def _cannot(host: str, port: int, failure: OSError | OverflowError) -> ListenError:
    number = getattr(failure, "errno", None)
    if number == errno.EADDRINUSE:
        return ListenError(
            f"Something else already uses UDP port {port}.", "Choose another port, or 0 for any."
        )
    if number == errno.EACCES:
        return ListenError(f"This user may not use UDP port {port}.", "Choose one above 1023.")
    if number == errno.EADDRNOTAVAIL:
        return ListenError(f"This machine does not have the address {host}.")
    words = getattr(failure, "strerror", None) or str(failure)
    return ListenError(f"Cannot use UDP port {port} of {host}: {words}.")
