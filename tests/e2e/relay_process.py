"""A relay as a process of its own: ``python -m tests.e2e.relay_process PORT WEBPORT``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from holdfast.crypto import key_pair
from holdfast.net import Connection, listen
from holdfast.net.relay.server import RelayServer
from holdfast.net.websocket.dial import listen_websocket

KEY = key_pair(b"r" * 32)


async def main(port: int, web_port: int) -> None:
    """Relay until told to stop."""
    server = RelayServer(KEY.public_key)
    connections: set[Connection] = set()

    def opened(connection: Connection) -> None:
        connections.add(connection)
        connection.on_close(lambda _: connections.discard(connection))
        server.attach(connection)

    tcp = await listen(f"127.0.0.1:{port}", KEY, opened)
    web = await listen_websocket(f"127.0.0.1:{web_port}", KEY, opened)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(json.dumps({"tcp": str(tcp.addresses[0]), "web": str(web.addresses[0])}), flush=True)
    await stopped.wait()
    print(json.dumps({"carried": server.carried, "guests": len(server.guests)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
