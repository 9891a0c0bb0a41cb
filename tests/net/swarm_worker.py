"""A process with a swarm that looks for one topic and says whom it reached: it can be killed.

python -m tests.net.swarm_worker BOOK PORT...     (bootstrap nodes on this machine)
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from holdfast.crypto import key_pair
from holdfast.net import Connection, Peers
from holdfast.net.dht.node import DhtNode
from holdfast.net.swarm.address_book import AddressBook
from holdfast.net.swarm.swarm import Swarm
from tests.net.swarm_sides import TOPIC


async def main(book: Path, ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    reached: asyncio.Future[Connection] = loop.create_future()
    peers = Peers(key_pair(), lambda connection: reached.set_result(connection))
    began = loop.time()
    dht = await DhtNode.open(host="127.0.0.1", bootstrap=[("127.0.0.1", port) for port in ports])
    swarm = Swarm(peers, dht=dht, book=AddressBook(book))
    swarm.join(TOPIC, announce=False, lookup=True)
    connection = await reached
    seconds = loop.time() - began
    while not book.exists():  # noqa: ASYNC110 - a file has no event
        await asyncio.sleep(0.01)
    rungs = [step.rung for step in swarm.trace]
    key = connection.remote_public_key.hex()
    print(json.dumps({"key": key, "seconds": seconds, "rungs": rungs}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
