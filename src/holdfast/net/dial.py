"""Reaching out: from an address to an open connection, or a sentence that says why not."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from holdfast.crypto import KeyPair
from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net.address import Address, parse_address
from holdfast.net.connection import Admit, Connection

DIAL_TIMEOUT = 10.0
"""Seconds for the socket and the handshake together: several round trips on any link."""

Wrap = Callable[[Connection], asyncio.BaseProtocol]
"""Makes what the socket talks to, when that is not the connection itself (a WebSocket)."""


async def dial(
    address: Address | str,
    key_pair: KeyPair,
    *,
    expected_key: bytes | None = None,
    admit: Admit | None = None,
    on_open: Admit | None = None,
    timeout: float = DIAL_TIMEOUT,
    wrap: Wrap | None = None,
    tls: bool = False,
) -> Connection:
    """Connect and authenticate; returns once both sides have accepted each other.

    With ``expected_key`` anybody else is refused before learning who we are. ``admit`` and
    ``on_open`` as in `Connection`. ``wrap`` puts something between it and the socket, over TLS
    if asked for. Raises `PeerUnreachable`, `HandshakeError`, `AddressError`.
    """
    if isinstance(address, str):
        address = parse_address(address)
    loop = asyncio.get_running_loop()
    connection: Connection | None = None

    def make() -> asyncio.BaseProtocol:
        nonlocal connection
        connection = Connection(
            True, key_pair, expected_key=expected_key, admit=admit, on_open=on_open
        )
        return connection if wrap is None else wrap(connection)

    try:
        async with asyncio.timeout(timeout):
            # Names often have several addresses of which some lead nowhere (RFC 8305).
            await loop.create_connection(
                make, address.host, address.port, happy_eyeballs_delay=0.25, ssl=tls or None
            )
            assert connection is not None
            await connection.wait_open()
    except TimeoutError:
        error: HoldfastError = PeerUnreachable(f"{address} did not answer in {timeout:g} seconds.")
        _give_up(connection, error)
        raise error from None
    except OSError as failure:
        raise PeerUnreachable(_sentence(address, failure)) from failure
    except asyncio.CancelledError:
        _give_up(connection, PeerUnreachable(f"Dialling {address} was stopped."))
        raise
    return connection


def _give_up(connection: Connection | None, reason: HoldfastError) -> None:
    if connection is not None:
        connection.abort(reason)


_SENTENCES = {
    errno.ECONNREFUSED: "Nobody listens at {}.",
    errno.EHOSTUNREACH: "There is no way to {} from here.",
    errno.ENETUNREACH: "There is no way to {} from here.",
    errno.ETIMEDOUT: "{} does not answer.",
    errno.ECONNRESET: "{} hung up.",
}


def _sentence(address: Address, failure: OSError) -> str:
    if isinstance(failure, socket.gaierror):
        return f"The host {address.host!r} is not known."
    # With several numbers behind a name asyncio joins the failures into one without a number.
    number = failure.errno
    template = _SENTENCES.get(number) if number is not None else None
    if template is None and "refused" in str(failure).lower():
        template = _SENTENCES[errno.ECONNREFUSED]
    if template is not None:
        return template.format(address)
    return f"{address} cannot be reached: {failure.strerror or failure}."
