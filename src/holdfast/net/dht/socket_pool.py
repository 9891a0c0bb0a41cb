"""Sockets beside the two of a node, for hole punching: opened when needed, bounded, given back."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.dht.puncher import RandomBudget
from holdfast.errors import ListenError
from holdfast.net.udp.socket import UdpSocket

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

MAX_SOCKETS = 320
"""At once in one node: one birthday punch (256) and 64 others, of the usual 1024 descriptors."""

OnProbe = Callable[[tuple[str, int]], None]


class SocketPool:
    """The additional sockets of one node; see `pool_of`."""

    def __init__(self, dht: DhtNode) -> None:
        self._dht = weakref.ref(dht)
        self.random_punches = RandomBudget()
        """Shared by all that punch: see `holdfast.dht.puncher`."""
        self._open: set[UdpSocket] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._probes: list[Callable[[UdpSocket, tuple[str, int]], None]] = []
        for socket in (dht.server_socket, dht.client_socket):
            socket.on_probe = self._teller(socket)

    def __len__(self) -> int:
        return len(self._open)

    async def open(self, on_probe: OnProbe) -> UdpSocket:
        """One more socket, which also speaks for the DHT node. Raises `ListenError`."""
        dht = self._dht()
        if dht is None or dht.closed:
            raise ListenError("The DHT node is closed.")
        if len(self._open) >= MAX_SOCKETS:
            raise ListenError("Too many hole punches at once.", "Try again in half a minute.")
        socket = await UdpSocket.bind(dht.host, 0, table=dht.server_socket.table)
        self._open.add(socket)
        socket.on_probe = on_probe
        dht.attach(socket)
        return socket

    def release(self, socket: UdpSocket) -> None:
        """Close a socket; streams that still use it end. The node's own are left alone."""
        if socket not in self._open:
            return
        self._open.discard(socket)
        socket.on_probe = None
        task = asyncio.get_running_loop().create_task(socket.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all of them."""
        for socket in list(self._open):
            self.release(socket)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def hear(self, probe: Callable[[UdpSocket, tuple[str, int]], None]) -> Callable[[], None]:
        """Call ``probe(socket, source)`` for probes on the node's own two sockets.

        Returns how to stop that.
        """
        self._probes.append(probe)
        return lambda: self._probes.remove(probe) if probe in self._probes else None

    def _teller(self, socket: UdpSocket) -> OnProbe:
        def tell(source: tuple[str, int]) -> None:
            for probe in self._probes:
                probe(socket, source)

        return tell


_pools: weakref.WeakKeyDictionary[DhtNode, SocketPool] = weakref.WeakKeyDictionary()


def pool_of(dht: DhtNode) -> SocketPool:
    """The pool of a node."""
    pool = _pools.get(dht)
    if pool is None:
        pool = _pools[dht] = SocketPool(dht)
    return pool
