"""A network of `nodes` in one process, a server in a second; a third measures with fresh clients.

Of `rounds` clients: the median time of bootstrapping, of a whole lookup, of finding a peer by key
and connecting, of one echo over it, and of small values put and got.
"""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.jobs.bare import Times, run_bare
from holdfast.crypto import key_pair
from holdfast.dht import operations
from holdfast.net.connection import Connection
from holdfast.net.dht.connect import dht_connect
from holdfast.net.dht.node import DhtNode
from holdfast.net.dht.server import DhtServer
from holdfast.net.services import ping, serve_ping

_kept: list[object] = []


async def make(arguments: dict[str, Any]) -> DhtNode:
    """A client: nobody is to keep it in mind."""
    bootstrap = [(each["host"], each["port"]) for each in arguments["bootstrap"]]
    return await DhtNode.open(host="127.0.0.1", bootstrap=bootstrap)


async def testnet(arguments: dict[str, Any]) -> dict[str, Any]:
    given = arguments.get("bootstrap", [])
    first = [(each["host"], each["port"]) for each in given]
    for _ in range(arguments["nodes"]):
        node = await DhtNode.open(host="127.0.0.1", bootstrap=first, ephemeral=False)
        await node.bootstrapped()
        first = first or [(node.host, node.port)]
        _kept.append(node)
    return {"bootstrap": [{"host": host, "port": port} for host, port in first]}


async def server(arguments: dict[str, Any]) -> dict[str, Any]:
    node = await make(arguments)
    await node.bootstrapped()
    pair, topic = key_pair(), os.urandom(32)
    listening = await DhtServer.listen(node, pair, serve_ping)
    await node.announce(topic, pair, listening.relay_addresses)
    _kept.extend([node, listening])
    key, wanted = pair.public_key.hex(), topic.hex()
    return {"bootstrap": arguments["bootstrap"], "key": key, "topic": wanted}


async def client(arguments: dict[str, Any]) -> dict[str, Any]:
    times = Times()
    for _ in range(arguments["rounds"]):
        await _round(arguments, times)
    return times.medians()


async def _round(arguments: dict[str, Any], times: Times) -> None:
    node = await make(arguments)
    await times.of("bootstrapMs", node.bootstrapped())
    if not await times.of("lookupMs", _lookup(node, bytes.fromhex(arguments["topic"]))):
        raise RuntimeError("the topic was not found")
    connection = await times.of("connectMs", _connect(node, bytes.fromhex(arguments["key"])))
    await times.of("echoMs", ping(connection))
    connection.close()
    value = os.urandom(200)
    target = await times.of("putMs", node.immutable_put(value))
    if await times.of("getMs", node.immutable_get(target)) != value:
        raise RuntimeError("the value was not found")
    await node.close()


async def _lookup(node: DhtNode, topic: bytes) -> int:
    return sum([len(found.peers) async for found in node.lookup(topic)])


async def lookups(arguments: dict[str, Any]) -> dict[str, Any]:
    """Each by a fresh client, of a topic that another one has announced."""
    found: dict[str, list[float]] = {"ms": [], "hops": [], "asked": []}
    announcer = await make(arguments)
    await announcer.bootstrapped()
    for _ in range(arguments["rounds"]):
        topic = os.urandom(32)
        await announcer.announce(topic, announcer.key_pair)
        node = await make(arguments)
        await node.bootstrapped()
        start = time.perf_counter()
        walk = node.walk()
        machine, storage = node.enter(), node.storage
        walk.query = operations.lookup(machine, storage, topic, walk.push, walk.end, ())
        node.flush()
        query = await walk.finished()
        found["ms"].append(1000 * (time.perf_counter() - start))
        found["hops"].append(query.hops)
        found["asked"].append(query.replies)
        await node.close()
    return dict(found)


async def _connect(node: DhtNode, key: bytes) -> Connection:
    return await dht_connect(node, key, key_pair())


if __name__ == "__main__":
    run_bare({"testnet": testnet, "server": server, "client": client, "lookups": lookups})
