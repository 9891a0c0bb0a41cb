"""One core of `count` blocks, downloaded whole by a second process over the DHT's own connections.

What is timed begins when they are connected.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.jobs import dht
from benchmarks.jobs.bare import run_bare
from benchmarks.jobs.common import blocks, run, take, timed
from holdfast.crypto import key_pair
from holdfast.net.dht.connect import dht_connect
from holdfast.net.dht.server import DhtServer
from holdfast.store import Store

_kept: list[object] = []


async def source(store: Store, arguments: dict[str, Any]) -> dict[str, Any]:
    size, count = arguments["size"], arguments["count"]
    core = store.core(name="bench")
    made = blocks(size)
    for start in range(0, count, 16):
        await core.append(take(made, min(16, count - start)))
    node, pair = await dht.make(arguments), key_pair()
    await node.bootstrapped()
    _kept.append(await DhtServer.listen(node, pair, store.attach))
    bootstrap, server = arguments["bootstrap"], pair.public_key.hex()
    return {"bootstrap": bootstrap, "key": core.key.hex(), "server": server}


async def reader(store: Store, arguments: dict[str, Any]) -> dict[str, float]:
    size, count = arguments["size"], arguments["count"]
    core = store.core(key=bytes.fromhex(arguments["key"]))
    node = await dht.make(arguments)
    await node.bootstrapped()
    server = bytes.fromhex(arguments["server"])
    _kept.append(await dht_connect(node, server, key_pair(), on_open=store.attach))
    seconds = await timed(core.download(0, count).done())
    if core.contiguous_length != count:
        raise RuntimeError(f"incomplete: {core.contiguous_length}")
    return {"mbPerSecond": size * count / 1e6 / seconds, "blocksPerSecond": count / seconds}


if __name__ == "__main__":
    if json.loads(sys.argv[1])["role"] == "testnet":
        run_bare({"testnet": dht.testnet})
    else:
        run({"source": source, "reader": reader})
