"""One part of a small network in the laboratory: a bootstrap node, who shares, or who reads.

``python -m benchmarks.jobs.restart ROLE JSON``: prints events as JSON lines and stays until killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import holdfast
from holdfast.errors import HoldfastError
from holdfast.net.dht.node import DhtNode
from holdfast.node import Network

FILES, BYTES = 3, 256 * 1024
READ = 64 * 1024


def say(event: str, **fields: Any) -> None:
    """One line for whoever measures."""
    print(json.dumps({"event": event, **fields}), flush=True)


def network(arguments: dict[str, Any]) -> Network:
    """The DHT and nothing else, so that what is measured is known."""
    return Network(bootstrap=tuple(arguments["bootstrap"]), lan=False, machine=False)


async def bootstrap(arguments: dict[str, Any]) -> None:
    host, port = arguments["host"], arguments["port"]
    known = arguments["bootstrap"]
    node = await DhtNode.open(
        host=host, port=port, bootstrap=known, ephemeral=False, firewalled=False
    )
    await node.bootstrapped()
    say("ready")
    await asyncio.Event().wait()


async def source(arguments: dict[str, Any]) -> None:
    opened = holdfast.open(
        arguments["store"], listen=f"{arguments['host']}:0", network=network(arguments)
    )
    async with opened as node:
        drive = await node.drive(name="films")
        for number in range(FILES):
            await drive.put(f"/{number}.bin", os.urandom(BYTES))
        await node.share(drive)
        assert node.online is not None
        joined = node.online.announced(drive.discovery_key)
        assert joined is not None
        say("sharing", link=str(node.link(drive, addresses=False)), found=await joined.flushed(60))
        await asyncio.Event().wait()


async def reader(arguments: dict[str, Any]) -> None:
    start = time.perf_counter()
    try:
        async with holdfast.open(arguments["store"], network=network(arguments)) as node:
            drive = await node.drive(arguments["link"], timeout=60)
            async with await drive.open(arguments["file"]) as file:
                found = await file.read(READ)
            say("first", seconds=time.perf_counter() - start, bytes=len(found))
            await asyncio.Event().wait()
    except HoldfastError as error:
        say("first", seconds=None, reason=error.message)


if __name__ == "__main__":
    roles = {"bootstrap": bootstrap, "source": source, "reader": reader}
    asyncio.run(roles[sys.argv[1]](json.loads(sys.argv[2])))
