"""Carries a handshake to whoever holds a key, through as many of its relays as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from holdfast.dht.calls import Reply
from holdfast.dht.commands import FIND_PEER, PEER_HANDSHAKE
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.handshake_messages import Handshake, Mode, PeerError
from holdfast.dht.noise_payload import VERSION, NoisePayload
from holdfast.errors import DecodeError, HandshakeError, HoldfastError, PeerUnreachable
from holdfast.net.dht.walk import Walk

if TYPE_CHECKING:
    from holdfast.net.dht.node import DhtNode

Addr = tuple[str, int]

AT_ONCE = 2
"""Relays asked at the same time: one slow one costs nothing; as in the peers."""
MOST_RELAYS = 24
"""Relays asked in all: the 20 nodes nearest to a key, and a few that were known before."""
ENOUGH = 3
"""Relays found at which the search pauses: peers have no more (wire notes 4.11)."""
HEAD_START = 0.75
"""Seconds that known relays have before a search begins beside them."""

_HINT = "Check the key, and that the other side is online."


class Met(NamedTuple):
    """The server's answer, and what was seen on the way."""

    payload: NoisePayload
    relayed: bool
    relay: Addr
    """The node that carried the handshake, or the server itself."""
    client_address: Addr
    """Where that node sees us."""
    server_address: Addr
    """Where that node sees the server."""
    relays: tuple[Addr, ...]
    """Nodes to ask the next time."""


async def meet(
    dht: DhtNode,
    target: bytes,
    handshake: PeerHandshake,
    hello: NoisePayload,
    known: Sequence[Addr],
) -> Met:
    """Shake hands with the server under ``target``; ``known`` relays are asked first.

    Raises `PeerUnreachable` when nobody knows it or it does not answer, `HandshakeError`.
    """
    meeting = _Meeting(dht, target, handshake)
    try:
        return await meeting.run(hello, known)
    finally:
        meeting.stop()


class _Meeting:
    def __init__(self, dht: DhtNode, target: bytes, handshake: PeerHandshake) -> None:
        self._dht, self._target = dht, target
        self._handshake = handshake
        self._question = b""
        self._queue: asyncio.Queue[Addr | None] = asyncio.Queue()
        self._asked: dict[Addr, None] = {}
        self._answer: asyncio.Future[Met] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, hello: NoisePayload, known: Sequence[Addr]) -> Met:
        forward = self._dht.relaying.router.get(self._target, self._dht.machine.now)
        if forward is not None and forward.relay is not None:
            self._offer(forward.relay)  # it has announced itself to this very node
        for address in known:
            self._offer(address)
        # The search is under way while we do the arithmetic of the handshake.
        walk = None if self._asked else self._dht.query(self._target, FIND_PEER)
        noise = self._handshake.write(hello)
        self._question = Handshake(Mode.CLIENT, noise).encode()
        self._tasks = [asyncio.ensure_future(self._work()) for _ in range(AT_ONCE)]
        self._tasks.append(asyncio.ensure_future(self._search(walk)))
        everybody = asyncio.gather(*self._tasks)
        everybody.add_done_callback(self._nobody_left)
        return await self._answer

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._answer.done() and not self._answer.cancelled():
            self._answer.exception()

    def _nobody_left(self, done: asyncio.Future[list[None]]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._fail(error)
        elif self._asked:
            self._fail(PeerUnreachable("The peer was found, but did not answer.", _HINT))
        else:
            self._fail(PeerUnreachable("Nobody in the DHT knows this peer.", _HINT))

    def _fail(self, error: BaseException) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def _offer(self, address: Addr) -> None:
        if address not in self._asked and len(self._asked) < MOST_RELAYS:
            self._asked[address] = None
            self._queue.put_nowait(address)

    async def _search(self, walk: Walk[Reply] | None) -> None:
        """Ask the nodes around the target; each that knows the server is also its relay."""
        if walk is None:
            await asyncio.sleep(HEAD_START)
            walk = self._dht.query(self._target, FIND_PEER)
        try:
            found = 0
            async for reply in walk:
                if reply.value is not None:
                    self._offer(reply.from_addr)
                    found += 1
                    if found == ENOUGH:
                        break
            walk.cancel()
            await self._queue.join()
            if found == ENOUGH:  # none of them led to it: there may be others
                walk = self._dht.query(self._target, FIND_PEER)
                async for reply in walk:
                    if reply.value is not None:
                        self._offer(reply.from_addr)
        finally:
            walk.cancel()
            for _ in range(AT_ONCE):
                self._queue.put_nowait(None)

    async def _work(self) -> None:
        while (address := await self._queue.get()) is not None:
            try:
                if not self._answer.done():
                    await self._ask(address)
            except HoldfastError:
                pass  # another relay may do better
            finally:
                self._queue.task_done()

    async def _ask(self, relay: Addr) -> None:
        reply = await self._dht.request(
            relay, PEER_HANDSHAKE, target=self._target, value=self._question
        )
        if self._answer.done():
            return
        answer = Handshake.decode(reply.value or b"")
        if answer.mode != Mode.REPLY or not answer.noise:
            raise DecodeError("A relay answered with something else than a handshake.")
        payload = self._handshake.read(answer.noise)
        if payload.version != VERSION or payload.error == PeerError.VERSION_MISMATCH:
            self._fail(HandshakeError("The peer speaks another version of the handshake."))
        elif payload.error != PeerError.NONE or payload.udx is None:
            self._fail(HandshakeError("The peer refused the handshake."))
        elif not self._answer.done():
            server = answer.peer_address
            relays = payload.relay_addresses or list(self._asked)
            self._answer.set_result(
                Met(
                    payload=payload,
                    relayed=server is not None,
                    relay=relay,
                    client_address=reply.seen_as,
                    server_address=server or relay,
                    relays=tuple(relays),
                )
            )
