"""Whether this machine lets us listen, on TCP and on UDP."""

from __future__ import annotations

import asyncio
import socket

from holdfast.net.address import Address
from holdfast.net.checks.finding import Finding, error, good

_REMEDIES = (
    "Choose another port with the verb's --listen option, or stop what holds this one; "
    "a sandbox or a security module may forbid sockets altogether."
)


async def check_bind(address: Address) -> list[Finding]:
    """Bind both kinds of socket to an address, hand a byte through each, and let go of them."""
    return [await _tcp(address), await _udp(address)]


async def _tcp(address: Address) -> Finding:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes] = loop.create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set_result(await reader.read(1))
        writer.close()

    try:
        server = await asyncio.start_server(take, address.host, address.port)
        async with server:
            port = int(server.sockets[0].getsockname()[1])
            _, writer = await asyncio.open_connection(_near(address.host), port)
            writer.write(b"x")
            await asyncio.wait_for(came, 5)
            writer.close()
    except (OSError, TimeoutError) as failure:
        return _refused("bind-tcp", "TCP", address, failure)
    return good("bind-tcp", f"TCP can be listened on ({address.host}, port {port}).", port=port)


async def _udp(address: Address) -> Finding:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as taker:
            taker.setblocking(False)
            taker.bind((address.host, address.port))
            port = int(taker.getsockname()[1])
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                await loop.sock_sendto(sender, b"x", (_near(address.host), port))
                await asyncio.wait_for(loop.sock_recv(taker, 16), 5)
    except (OSError, TimeoutError) as failure:
        return _refused("bind-udp", "UDP", address, failure)
    return good("bind-udp", f"UDP can be bound ({address.host}, port {port}).", port=port)


def _near(host: str) -> str:
    """Where this machine reaches what is bound to ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def _refused(code: str, kind: str, address: Address, failure: OSError | TimeoutError) -> Finding:
    if isinstance(failure, TimeoutError):
        why = "what is sent to it does not arrive"
        remedy = "A packet filter on this machine drops traffic to itself; allow it on loopback."
    else:
        why, remedy = failure.strerror or str(failure), _REMEDIES
    return error(code, f"{kind} cannot be used on {address}: {why}.", remedy, reason=why)
