"""Dialling and listening with WebSockets; the same promises as `dial` and `listen`."""

from __future__ import annotations

from urllib.parse import urlsplit

from holdfast.crypto import KeyPair
from holdfast.errors import AddressError
from holdfast.net.address import Address
from holdfast.net.connection import Admit, Connection
from holdfast.net.dial import DIAL_TIMEOUT, dial
from holdfast.net.limits import Limits
from holdfast.net.listener import Listener, listen
from holdfast.net.websocket.wire import ClientWire, ServerWire

_HINT = "Write it as ws://HOST:PORT/ or wss://HOST/."
_PORTS = {"ws": 80, "wss": 443}


def is_websocket(address: str) -> bool:
    """Whether an address is the URL of a WebSocket."""
    return address.partition("://")[0].lower() in _PORTS


def websocket_address(url: str) -> Address:
    """Host and port behind a WebSocket URL. Raises `AddressError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"{url!r} is not an address: {error}.", _HINT) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.fragment or "@" in parts.netloc:
        raise AddressError(f"{url!r} is not the address of a WebSocket.", _HINT)
    return Address(parts.hostname, _PORTS[parts.scheme] if port is None else port)


async def dial_websocket(
    url: str,
    key_pair: KeyPair,
    *,
    expected_key: bytes | None = None,
    admit: Admit | None = None,
    on_open: Admit | None = None,
    timeout: float = DIAL_TIMEOUT,
) -> Connection:
    """As `dial`, to a ``ws://`` or ``wss://`` URL."""
    return await dial(
        websocket_address(url),
        key_pair,
        expected_key=expected_key,
        admit=admit,
        on_open=on_open,
        timeout=timeout,
        wrap=lambda connection: ClientWire(connection, url),
        tls=urlsplit(url).scheme == "wss",
    )


async def dial_any(
    address: str,
    key_pair: KeyPair,
    *,
    expected_key: bytes | None = None,
    admit: Admit | None = None,
    on_open: Admit | None = None,
    timeout: float = DIAL_TIMEOUT,
) -> Connection:
    """`dial` or `dial_websocket`, whichever the address is for."""
    reach = dial_websocket if is_websocket(address) else dial
    return await reach(
        address,
        key_pair,
        expected_key=expected_key,
        admit=admit,
        on_open=on_open,
        timeout=timeout,
    )


async def listen_websocket(
    address: Address | str,
    key_pair: KeyPair,
    on_open: Admit,
    *,
    admit: Admit | None = None,
    limits: Limits | None = None,
) -> Listener:
    """As `listen`, for those who come with ``ws://HOST:PORT/``."""
    return await listen(address, key_pair, on_open, admit=admit, limits=limits, wrap=ServerWire)
