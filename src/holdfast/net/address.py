"""Addresses as people write them: ``host:port``, ``[::1]:port``, ``:port``, ``host``."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

from holdfast.errors import AddressError

MAX_HOST = 253
"""The longest name DNS can carry (RFC 1035 2.3.4)."""


class Address(NamedTuple):
    """A host (name or number, without brackets) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """``host:port``, with brackets around an IPv6 number."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, default_host: str = "", default_port: int | None = None) -> Address:
    """Read ``HOST:PORT``. Raises `AddressError` when a part is missing and has no default."""
    host, port_text = _split(text.strip())
    host = host or default_host
    if not host or len(host) > MAX_HOST or any(c.isspace() or not c.isprintable() for c in host):
        raise AddressError(f"{text!r} is not an address: the host is missing or malformed.")
    if not port_text and default_port is not None:
        return Address(host, default_port)
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) <= 65535):
        raise AddressError(f"{text!r} is not an address: the port must be a number up to 65535.")
    return Address(host, int(port_text))


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or ":" not in host or (rest and not rest.startswith(":")):
            raise AddressError(f"{text!r} is not an address: no IPv6 number in the brackets.")
        return host, rest[1:]
    if text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def is_unspecified(host: str) -> bool:
    """Whether the host means *every interface* (``0.0.0.0``, ``::``, or nothing)."""
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def reachable_hosts(host: str) -> list[str]:
    """Hosts to put in a link for a socket bound to ``host``: the most useful first, loopback last.

    A bound address stands for itself. For *every interface* these are the numbers this machine
    uses to talk to others; finding them sends no packet.
    """
    if not is_unspecified(host):
        return [host]
    found = []
    if host != "::":
        found += _outward(socket.AF_INET, "192.0.2.1") + ["127.0.0.1"]
    else:
        found += _outward(socket.AF_INET6, "2001:db8::1") + _outward(socket.AF_INET, "192.0.2.1")
        found += ["::1"]
    return list(dict.fromkeys(found))


def _outward(family: socket.AddressFamily, towards: str) -> list[str]:
    """Our own number on the route to a documentation address (RFC 5737, 3849), if there is one."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((towards, 9))
            return [str(probe.getsockname()[0])]
    except OSError:
        return []
