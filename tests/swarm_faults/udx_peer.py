"""One end of a bare UDX stream in the laboratory: `send ADDRESS BYTES` or `receive ADDRESS BYTES`.

Both ends use port 4000 and the stream ids that they are told by their role; what is sent is a
keystream that the receiver can check, so that nothing has to be kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from typing import Any

from holdfast.net.udp.socket import UdpSocket
from holdfast.net.udp.transport import UdxTransport

PORT = 4000
SENDER, RECEIVER = 11, 22
CHUNK = 64 * 1024


def say(**line: Any) -> None:
    """One line for the test."""
    print(json.dumps(line), flush=True)


def chunks(size: int) -> list[int]:
    """How the bytes are cut."""
    return [min(CHUNK, size - start) for start in range(0, size, CHUNK)]


class Sending(asyncio.Protocol):
    """Writes as fast as it is let; tells when the other side has taken it all."""

    def __init__(self, size: int) -> None:
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.ended = asyncio.get_running_loop().create_future()
        self.size = size

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def eof_received(self) -> bool:
        self.end(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.end(error)

    def end(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(error)

    async def run(self, transport: UdxTransport) -> None:
        digest, numbers = hashlib.blake2b(), random.Random(1)
        for size in chunks(self.size):
            data = numbers.randbytes(size)
            digest.update(data)
            await self.may_write.wait()
            transport.write(data)
        transport.write_eof()
        error = await self.ended
        say(event="sent", hash=digest.hexdigest(), error=str(error or ""), **stats(transport))


class Receiving(asyncio.Protocol):
    """Hashes what arrives."""

    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self.digest, self.count = hashlib.blake2b(), 0

    def data_received(self, data: bytes) -> None:
        self.digest.update(data)
        self.count += len(data)

    def eof_received(self) -> bool:
        self.end(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.end(error)

    def end(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(error)


def stats(transport: UdxTransport) -> dict[str, Any]:
    """What a failed test is understood by."""
    found = transport.stats
    return {"rtt": round(found.rtt, 4), "mtu": found.mtu, "again": found.retransmits}


async def main(role: str, address: str, size: str) -> None:
    """Send or receive, then leave."""
    socket = await UdpSocket.bind("0.0.0.0", PORT)
    mine, theirs = (SENDER, RECEIVER) if role == "send" else (RECEIVER, SENDER)
    transport = socket.stream(mine)
    start = asyncio.get_running_loop().time()
    transport.connect(socket, theirs, (address, PORT))
    if role == "send":
        sending = Sending(int(size))
        transport.set_protocol(sending)
        await sending.run(transport)
    else:
        receiving = Receiving()
        transport.set_protocol(receiving)
        say(event="ready")
        error = await receiving.ended
        seconds = asyncio.get_running_loop().time() - start
        say(
            event="received",
            hash=receiving.digest.hexdigest(),
            bytes=receiving.count,
            error=str(error or ""),
            seconds=round(seconds, 2),
        )
    transport.close()
    await asyncio.sleep(0.5)  # what closes the stream is sent, and answered
    await socket.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
