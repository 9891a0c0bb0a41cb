"""One DHT node of ours in the laboratory: the same roles and words as ``js/hyperdht_node.js``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from holdfast.crypto import key_pair
from holdfast.errors import HoldfastError
from holdfast.net import Connection
from holdfast.net.dht.node import DhtNode

TRIES = 3
"""Of a pair whose hole could not be punched: after many probes a node rests."""
REST = 21.0
"""Seconds: a little more than that rest."""

FOR_GOOD = ("knows this peer", "change ports all the time")
"""What is said where another try would not help."""


def say(**line: Any) -> None:
    """One line for whoever measures."""
    print(json.dumps(line), flush=True)


async def public_node(host: str, port: str, *bootstrap: str) -> None:
    """A node that everybody can reach."""
    node = await DhtNode.open(
        host=host, port=int(port), bootstrap=bootstrap, ephemeral=False, firewalled=False
    )
    await node.bootstrapped()
    say(event="ready")
    await asyncio.Event().wait()


async def serve(bootstrap: str) -> None:
    """Take connections, and leave them open."""
    from holdfast.net.dht.server import DhtServer

    node = await DhtNode.open(bootstrap=[bootstrap])
    await node.bootstrapped()
    keys, kept = key_pair(), list[Connection]()
    await DhtServer.listen(node, keys, kept.append)
    say(event="serving", key=keys.public_key.hex(), port=node.port)
    await asyncio.Event().wait()


async def call(bootstrap: str, *servers: str) -> None:
    """Connect to each in turn."""
    node = await DhtNode.open(bootstrap=[bootstrap])
    await node.bootstrapped()
    for server in servers:
        await _reach(node, bytes.fromhex(server))
    await node.close()


async def _reach(node: DhtNode, server: bytes) -> None:
    from holdfast.net.dht.connect import dht_connect

    loop = asyncio.get_running_loop()
    errors: list[str] = []
    route = ""
    while True:
        start = loop.time()
        try:
            connection = await dht_connect(node, server, key_pair())
            route = connection.route
            connection.close()
        except HoldfastError as failure:
            errors.append(f"{failure.code}: {failure.message}")
        if route or len(errors) == TRIES or any(words in errors[-1] for words in FOR_GOOD):
            break
        await asyncio.sleep(REST)
    say(
        event="reached" if route else "missed",
        error=None if route else errors[-1],
        seconds=round(loop.time() - start, 3),
        errors=errors,
        route=route,
    )


ROLES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "boot": public_node,
    "node": public_node,
    "serve": serve,
    "call": call,
}

if __name__ == "__main__":
    asyncio.run(ROLES[sys.argv[1]](*sys.argv[2:]))
