"""The doctor: every check of this machine and of what is around it, one finding after the other."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from holdfast.crypto import key_pair, random_bytes
from holdfast.net import Address
from holdfast.net.checks.binding import check_bind
from holdfast.net.checks.finding import Finding, note
from holdfast.net.checks.lan import check_lan
from holdfast.net.checks.neighbours import check_relays, connector
from holdfast.net.checks.outside import check_outside
from holdfast.net.checks.probe import OpenSocket, open_socket
from holdfast.node.health import check_machine
from holdfast.node.network import Network

ANYWHERE = Address("0.0.0.0", 0)


async def examine(
    directory: Path,
    network: Network,
    *,
    address: Address = ANYWHERE,
    opener: OpenSocket = open_socket,
    random: Callable[[int], bytes] = random_bytes,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Finding]:
    """What works from here, for the store in ``directory`` and the network as configured.

    Nothing is changed, announced or kept: sockets and a file are made and removed again, and the
    nodes given are asked.
    """
    for finding in await check_bind(address):
        yield finding
    if network.lan:
        for finding in await check_lan():
            yield finding
    else:
        yield note("lan", "Peers on this network are not looked for: it is switched off.")
    for finding in await check_outside(network.bootstrap, random, opener=opener):
        yield finding
    relay, told = await check_relays(network.relays, network.bootstrap, connector(key_pair()))
    yield relay
    for finding in await check_machine(directory, told, clock()):
        yield finding
