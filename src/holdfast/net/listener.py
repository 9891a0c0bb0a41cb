"""Waiting for others: a listening socket that hands over opened connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable

from holdfast.crypto import KeyPair
from holdfast.errors import HoldfastError, ListenError, RemoteError
from holdfast.net.address import Address, parse_address, reachable_hosts
from holdfast.net.connection import Admit, Connection
from holdfast.net.dial import Wrap
from holdfast.net.limits import Gate, Limits, source_of

BACKLOG = 128
"""Connections the kernel keeps until we look at them (its own usual limit)."""


class Listener:
    """A listening socket; made by `listen`."""

    def __init__(
        self, key_pair: KeyPair, on_open: Admit, *, admit: Admit | None, limits: Limits | None
    ) -> None:
        self.gate = Gate(limits)
        self._key_pair = key_pair
        self._on_open = on_open
        self._admit = admit
        self._server: asyncio.Server | None = None
        self._knocking: dict[_Incoming, None] = {}
        self._wrap: Wrap | None = None

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, as bound."""
        sockets = self._server.sockets if self._server is not None else ()
        return [Address(*map_name(each.getsockname())) for each in sockets]

    @property
    def reachable(self) -> list[Address]:
        """Addresses under which others may reach it, the most useful first."""
        found = [
            Address(host, address.port)
            for address in self.addresses
            for host in reachable_hosts(address.host)
        ]
        return list(dict.fromkeys(found))

    async def close(self) -> None:
        """Take no more connections, and give up unfinished handshakes; open ones stay."""
        server, self._server = self._server, None
        if server is not None:
            # asyncio drops a socket that it has just accepted when its server closes, without
            # closing it: take no more, let it finish with those, and close then.
            loop = asyncio.get_running_loop()
            for each in server.sockets:
                with contextlib.suppress(NotImplementedError):
                    loop.remove_reader(each.fileno())
            await asyncio.sleep(0)
            server.close()
        for connection in list(self._knocking):
            connection.abort(RemoteError("The listener was closed."))

    def _make_room(self, source: str) -> None:
        """Give up the handshake that has taken longest; its own, when a source has too many.

        Somebody who is slow on purpose could keep the others out for the time a handshake may take.
        """
        if self.gate.is_full(source):
            crowded = self.gate.is_crowded(source)
            for other in self._knocking:  # the oldest first
                if not crowded or other.source == source:
                    other.abort(RemoteError("Others waited, and this handshake took long."))
                    self.gate.refused += 1
                    return

    def _make(self) -> asyncio.BaseProtocol:
        connection = _Incoming(self)
        return connection if self._wrap is None else self._wrap(connection)


class _Incoming(Connection):
    """An incoming connection: counted at the listener's gate from the first byte on."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(False, listener._key_pair, admit=listener._admit, on_open=self._open_here)
        self._listener = listener
        self.source = ""
        """Whom it counts for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.source = source = source_of(str(peer[0])) if isinstance(peer, tuple) else ""
        listener, gate = self._listener, self._listener.gate
        listener._make_room(source)
        if not gate.enter(source):
            self._end(RemoteError("Too many connections at once."))
        else:
            listener._knocking[self] = None

            def settled() -> None:
                gate.settled(source)
                del listener._knocking[self]

            self._settle: Callable[[], None] = _once(settled)

            def left(_: HoldfastError) -> None:
                self._settle()
                gate.leave(source)

            self.on_close(left)
        super().connection_made(transport)

    def _open_here(self, connection: Connection) -> None:
        self._settle()
        self._listener._on_open(connection)


def _once(action: Callable[[], None]) -> Callable[[], None]:
    waiting = [action]

    def call() -> None:
        if waiting:
            waiting.pop()()

    return call


def map_name(name: tuple[str, int] | tuple[str, int, int, int]) -> tuple[str, int]:
    """Host and port of a socket name of either family."""
    return name[0], name[1]


async def listen(
    address: Address | str,
    key_pair: KeyPair,
    on_open: Admit,
    *,
    admit: Admit | None = None,
    limits: Limits | None = None,
    wrap: Wrap | None = None,
) -> Listener:
    """Listen on ``HOST:PORT`` (port 0: any free one); each opened connection goes to ``on_open``.

    ``wrap`` as in `dial`. Raises `AddressError`, `ListenError`.
    """
    if isinstance(address, str):
        address = parse_address(address, default_host="0.0.0.0", default_port=0)
    listener = Listener(key_pair, on_open, admit=admit, limits=limits)
    listener._wrap = wrap
    loop = asyncio.get_running_loop()
    try:
        listener._server = await loop.create_server(
            listener._make, address.host, address.port, backlog=BACKLOG
        )
    except OSError as failure:
        raise _cannot(address, failure) from failure
    return listener


def _cannot(address: Address, failure: OSError) -> ListenError:
    if failure.errno == errno.EADDRINUSE:
        return ListenError(
            f"Something else already listens on {address}.", "Choose another port, or 0 for any."
        )
    if failure.errno == errno.EACCES:
        return ListenError(f"This user may not listen on {address}.", "Choose a port above 1023.")
    if failure.errno == errno.EADDRNOTAVAIL:
        return ListenError(f"This machine does not have the address {address.host}.")
    return ListenError(f"Cannot listen on {address}: {failure.strerror or failure}.")
