"""A node that shares one drive and does nothing for `seconds`, on a network of `nodes`.

What its process costs: memory, processor, and UDP bytes in and out.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import holdfast
from benchmarks.jobs import dht
from benchmarks.jobs.bare import run_bare
from holdfast.net.dht.node import DhtNode
from holdfast.node import Network

_kept: list[object] = []


async def node(arguments: dict[str, Any]) -> dict[str, Any]:
    bootstrap = tuple(f"{each['host']}:{each['port']}" for each in arguments["bootstrap"])
    network = Network(bootstrap=bootstrap, lan=False, machine=False, udp="127.0.0.1:0")
    opened = await holdfast.open(arguments["directory"], listen="127.0.0.1:0", network=network)
    _kept.append(opened)
    online = opened.online
    assert online is not None and online.dht is not None
    await online.dht.bootstrapped()
    before = _bytes(online.dht)
    drive = await opened.drive(name="bench")
    await drive.put("/hello.txt", b"hello")
    await opened.share(drive)
    joined = online.announced(drive.discovery_key)
    assert joined is not None and await joined.flushed()
    announce = _bytes(online.dht) - before
    await asyncio.sleep(arguments["settle"])
    start, cpu, sent = time.perf_counter(), time.process_time(), _bytes(online.dht)
    await asyncio.sleep(arguments["seconds"])
    seconds = time.perf_counter() - start
    return {
        "rssMiB": _rss(),
        "cpuPercent": 100 * (time.process_time() - cpu) / seconds,
        "bytesPerHour": 3600 * (_bytes(online.dht) - sent) / seconds,
        "announceBytes": announce,
    }


def _bytes(dht: DhtNode) -> int:
    return dht.counters.sent + dht.counters.received


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    run_bare({"testnet": dht.testnet, "node": node})
