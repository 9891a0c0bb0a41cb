"""What works with the nodes we were given: relays relay, and they have the same time as we."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from holdfast.crypto import KeyPair
from holdfast.errors import HoldfastError
from holdfast.net.checks.clock import Told, ask_clock
from holdfast.net.checks.finding import Finding, error, good, note, warning
from holdfast.net.connection import Connection
from holdfast.net.relay.link import RelayLink
from holdfast.net.websocket.dial import dial_any

DIAL_SECONDS = 5.0
"""How long a node may take to answer: whoever runs a check waits for it."""

Connect = Callable[[str], Awaitable[Connection]]

_NONE = (
    "Give one with --relay ADDRESS (or HOLDFAST_RELAY): without, two strict networks, or one "
    "that lets no UDP through, cannot meet."
)
_REMEDY = "Check the address, and that `holdfast up --bootstrap` runs there and takes TCP."


async def check_relays(
    relays: Sequence[str], bootstrap: Sequence[str], connect: Connect
) -> tuple[Finding, list[Told]]:
    """The finding ``relay``, and what the nodes that could be reached say of the time.

    Bootstrap nodes relay too, on the same port: they are tried where no relay is named.
    """
    named = list(dict.fromkeys(relays))
    others = [each for each in dict.fromkeys(bootstrap) if each not in named]
    met = await asyncio.gather(*(_meet(each, connect) for each in [*named, *others]))
    told = [each.told for each in met if each.told is not None]
    return _finding(met[: len(named)], met[len(named) :]), told


class _Met:
    """How one node was met."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.failure = ""
        self.seconds = 0.0
        self.told: Told | None = None


async def _meet(address: str, connect: Connect) -> _Met:
    loop, met = asyncio.get_running_loop(), _Met(address)
    start = loop.time()
    try:
        connection = await connect(address)
    except HoldfastError as problem:
        met.failure = problem.message
        return met
    try:
        met.seconds = loop.time() - start
        await _try_relay(connection, met)
        try:
            met.told = await ask_clock(connection)
        except HoldfastError:
            pass  # it does not tell; others may
    finally:
        connection.close()
        await connection.wait_closed()
    return met


async def _try_relay(connection: Connection, met: _Met) -> None:
    link = RelayLink(connection, on_incoming=lambda stream: None, on_peers=lambda topic, keys: None)
    try:
        async with asyncio.timeout(10):
            await link.wait_open()
    except TimeoutError:
        met.failure = f"{met.address} does not say whether it relays."
    except HoldfastError as problem:
        met.failure = problem.message
    link.close()


def connector(key_pair: KeyPair) -> Connect:
    """Dials addresses with a key."""

    async def connect(address: str) -> Connection:
        return await dial_any(address, key_pair, timeout=DIAL_SECONDS)

    return connect


def _finding(named: list[_Met], others: list[_Met]) -> Finding:
    working = [each for each in [*named, *others] if not each.failure]
    facts = {
        "working": [each.address for each in working],
        "failed": {each.address: each.failure for each in named if each.failure},
        "ms": round(1000 * min(each.seconds for each in working), 2) if working else None,
    }
    failed = ", ".join(each.address for each in named if each.failure)
    if named and not working:
        sentence = f"No relay works: {'; '.join(each.failure for each in named)}"
        return error("relay", sentence, _REMEDY, **facts)
    if failed:
        sentence = f"{working[0].address} relays, but not {failed}."
        return warning("relay", sentence, _REMEDY, **facts)
    if working:
        sentence = f"{working[0].address} relays, reached in {facts['ms']} ms."
        return good("relay", sentence, **facts)
    return note("relay", "No relay is known.", _NONE, **facts)
