"""A node that looks around on its local network and dials whom it finds; see `lan_room`."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from functools import partial
from typing import Any

from holdfast.crypto import blake2b, key_pair
from holdfast.errors import HoldfastError
from holdfast.net import Connection, Peers, ping, serve_ping
from holdfast.net.near.lan import LocalNetwork
from holdfast.net.swarm.candidate import Candidate


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


class Node:
    """A listener, the finder, and a ping with everybody who is found."""

    def __init__(self, seed: str) -> None:
        self.keys = key_pair(blake2b(seed.encode()))
        self.peers = Peers(self.keys, self._connected)
        self.lan = LocalNetwork(self.keys.public_key, self._addresses, check=2.0)
        self._tasks: set[asyncio.Task[None]] = set()

    def _addresses(self) -> list[Any]:
        return [each for listener in self.peers.listeners for each in listener.addresses]

    def _connected(self, connection: Connection) -> None:
        serve_ping(connection)

    def found(self, topic: str, candidate: Candidate) -> None:
        say(found=candidate.public_key.hex(), topic=topic, at=[str(a) for a in candidate.addresses])
        task = asyncio.create_task(self._meet(candidate))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _meet(self, candidate: Candidate) -> None:
        try:
            connection = await self.peers.connect(
                candidate.addresses[0], expected_key=candidate.public_key
            )
            await ping(connection)
            say(met=connection.remote_public_key.hex())
        except HoldfastError as error:
            say(refused=candidate.public_key.hex(), code=error.code)

    def do(self, command: dict[str, str]) -> None:
        for verb, word in command.items():
            topic = blake2b(word.encode())
            if verb == "announce":
                self.lan.announce(topic)
            elif verb == "unannounce":
                self.lan.unannounce(topic)
            elif verb == "lookup":
                self.lan.lookup(topic, partial(self.found, word))
            elif verb == "port":
                say(verb="port", port=self.peers.listeners[0].addresses[0].port)
            elif verb == "status":
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
                say(answer=word, status=self.lan.status, peak=peak, **self._held())

    def _held(self) -> dict[str, int]:
        return {"neighbours": len(self.lan._neighbours), "questions": len(self.lan._asking)}


async def main(seed: str) -> None:
    node = Node(seed)
    await node.peers.listen("0.0.0.0:0")
    say(ready=node.keys.public_key.hex())
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        node.do(json.loads(line))
    await node.lan.close()
    await node.peers.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
