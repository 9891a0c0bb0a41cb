"""Asking DHT nodes how they see us, one datagram at a time.

Apart from the node's own DHT on purpose: a check must show what the network does, not what a
routing table remembers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, cast

from holdfast.dht.ids import may_name, pack, split, unpack
from holdfast.dht.ipv4 import ADDRESS_BYTES
from holdfast.dht.packet import REPLY, Frame, decode_reply
from holdfast.errors import DecodeError

PING, PING_NAT, FIND_NODE = range(3)
"""Internal commands of the DHT (wire notes 4.10)."""

TRY_SECONDS = 1.0
"""How long one try waits: the longest round trip on this planet is about half of it."""
TRIES = 3
"""Datagrams may be lost: three losses in a row are rare on any line worth using."""
PADDED = 400
"""Bytes of a question about other nodes: a node may answer a short one briefly."""

Addr = tuple[str, int]


class ProbeSocket(Protocol):
    """A bound UDP socket."""

    port: int
    """Where it is bound on this machine."""
    on_datagram: Callable[[bytes, Addr], None]
    """Called with what arrives."""

    def send(self, data: bytes, addr: Addr) -> None:
        """Send one datagram, or nothing."""

    def close(self) -> None:
        """Let go of the port."""


OpenSocket = Callable[[], Awaitable[ProbeSocket]]


class Answer(NamedTuple):
    """What a node answered."""

    node: Addr
    seen_as: Addr
    """Our address as the node sees it."""
    seconds: float
    closer: tuple[Addr, ...]
    """Nodes it names."""


class _Socket(asyncio.DatagramProtocol):
    """A `ProbeSocket` over asyncio."""

    port = 0

    def __init__(self) -> None:
        self.on_datagram: Callable[[bytes, Addr], None] = lambda data, addr: None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = int(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: Addr) -> None:
        self.on_datagram(data, (addr[0], addr[1]))

    def send(self, data: bytes, addr: Addr) -> None:
        assert self._transport is not None
        self._transport.sendto(data, addr)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


async def open_socket(host: str = "0.0.0.0", port: int = 0) -> ProbeSocket:
    """A UDP socket of this machine. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(_Socket, local_addr=(host, port))
    return protocol


class Prober:
    """Questions over one socket; `close` it at the end."""

    def __init__(self, socket: ProbeSocket, random: Callable[[int], bytes]) -> None:
        self.socket = socket
        self._random = random
        self._waiting: dict[tuple[bytes, Addr], asyncio.Future[tuple[float, bytes]]] = {}
        self._strangers: dict[bytes, asyncio.Future[Addr]] = {}
        socket.on_datagram = self._received

    async def ask(
        self,
        node: Addr,
        command: int,
        *,
        target: bytes | None = None,
        value: bytes | None = None,
        tries: int = TRIES,
    ) -> Answer | None:
        """What a node answers, or None when it does not; its time is that of the try it answers."""
        frame = Frame(command, internal=True, target=target, value=value, least=PADDED)
        loop = asyncio.get_running_loop()
        for _ in range(tries):
            key = (self._random(2), node)
            self._waiting[key] = answered = loop.create_future()
            start = loop.time()
            self.socket.send(frame.encode(key[0], pack(node)), node)
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    end, data = await answered
                return _read(node, data, end - start)
            except (TimeoutError, DecodeError):
                continue
            finally:
                del self._waiting[key]
        return None

    async def invite(self, node: Addr, other: Prober, port: int) -> bool:
        """Let a node answer to another port of ours; whether that arrives at the other socket.

        It arrives there unasked: the other socket has never sent anything to that node.
        """
        frame = Frame(PING_NAT, internal=True, value=port.to_bytes(2, "little"), least=PADDED)
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            tid = self._random(2)
            other._strangers[tid] = arrived = loop.create_future()
            self.socket.send(frame.encode(tid, pack(node)), node)
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    if (await arrived)[0] == node[0]:
                        return True
            except TimeoutError:
                continue
            finally:
                del other._strangers[tid]
        return False

    def close(self) -> None:
        """Let go of the socket."""
        self.socket.close()

    def _received(self, data: bytes, addr: Addr) -> None:
        if len(data) < 4 or data[0] != REPLY:
            return
        tid = bytes(data[2:4])
        answered = self._waiting.get((tid, addr))
        if answered is not None and not answered.done():
            answered.set_result((asyncio.get_running_loop().time(), bytes(data)))
        arrived = self._strangers.get(tid)
        if arrived is not None and not arrived.done():
            arrived.set_result(addr)


def _read(node: Addr, data: bytes, seconds: float) -> Answer:
    reply = decode_reply(data)
    teller = pack(node)
    closer = split(reply.closer) if len(reply.closer) % ADDRESS_BYTES == 0 else []
    named = tuple(unpack(each) for each in closer if may_name(teller, each))
    return Answer(node, unpack(reply.to), seconds, named)
