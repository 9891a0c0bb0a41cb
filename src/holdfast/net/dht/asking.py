"""Asking nodes of the DHT, answering them, and saying how it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from holdfast.dht.calls import Call, Reply
from holdfast.dht.commands import PING
from holdfast.dht.ids import is_sendable, pack
from holdfast.dht.request import Request
from holdfast.errors import AddressError, PeerUnreachable
from holdfast.net.dht.driver import Addr, DhtDriver
from holdfast.net.dht.walk import Walk
from holdfast.net.udp.socket import UdpSocket

Handler = Callable[[Request], Awaitable[None] | None]


class DhtAsking(DhtDriver):
    """What every user of a node does with it; `DhtNode` adds topics and records."""

    async def request(
        self,
        addr: Addr,
        command: int,
        *,
        target: bytes | None = None,
        value: bytes | None = None,
        internal: bool = False,
        token: bytes | None = None,
        socket: UdpSocket | None = None,
        timeout: float = 1.0,
        retries: int = 3,
        ttl: int | None = None,
    ) -> Reply:
        """Ask one node. Raises `PeerUnreachable` when it is silent; cancelling forgets the request.

        ``timeout`` is for each of the ``retries`` + 1 times it is sent. The answer may be an error:
        see `Reply.error`.
        """
        machine = self.enter()
        packed = _packed(addr)
        frame = machine.frame(
            command, internal=internal, target=target, value=value, token=token, socket=socket
        )
        call = machine.prepare(packed, frame, socket)
        call.patience, call.sends_left, call.ttl = timeout, retries + 1, ttl
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        call.on_done = partial(_resolve, answer)
        self.waiting.add(answer)
        machine.launch(call)
        self.flush()
        try:
            return await answer
        finally:
            self.waiting.discard(answer)
            machine.cancel(call)

    async def ping(self, addr: Addr, *, timeout: float = 1.0, retries: int = 3) -> Reply:
        """Ask whether a node is there. Raises `PeerUnreachable`."""
        return await self.request(addr, PING, internal=True, timeout=timeout, retries=retries)

    def handle(self, command: int, handler: Callable[[Request], Awaitable[None] | None]) -> None:
        """Answer a command (above those of the DHT); the handler may answer later, or never."""
        self.machine.handlers[command] = partial(self._run, handler)

    def _run(self, handler: Handler, request: Request) -> None:
        answer = handler(request)
        if answer is None:
            return
        self.tasks.add(answer)

    def query(
        self,
        target: bytes,
        command: int,
        value: bytes | None = None,
        *,
        nodes: Iterable[Addr] = (),
        on_reply: Callable[[Reply], None] | None = None,
    ) -> Walk[Reply]:
        """Walk towards a target, asking every node on the way; ends at the nearest ones."""
        machine = self.enter()
        walk: Walk[Reply] = self.walk()
        frame = machine.frame(command, target=target, value=value)
        walk.query = machine.query(
            target, frame, nodes=nodes, on_reply=on_reply or walk.push, on_done=walk.end
        )
        self.flush()
        return walk

    @property
    def status(self) -> str:
        """One sentence on whether the DHT can be used, and why not."""
        if self.closed:
            return "The DHT node is closed."
        known: int = len(self.machine.table)
        if self.machine.joining.answered:
            if known or self.machine.reach.forced:
                return f"The DHT answers: {known} of its nodes are known."
            return "The DHT answers, but none of its nodes stays."
        if not self.bootstrap:
            return f"This node is the first of its own network: {known} others are known."
        if not self.has_begun:
            return "The bootstrap nodes of the DHT have not answered yet."
        return self._why_not()

    def _why_not(self) -> str:
        asked = ", ".join(
            str(node) for node in self.bootstrap if node.host not in self.unknown_names
        )
        unknown = (
            f"no address is known for {', '.join(self.unknown_names)}" if self.unknown_names else ""
        )
        if not asked:
            return f"No bootstrap node of the DHT can be asked: {unknown}."
        silent = f"None of the bootstrap nodes of the DHT answers at {asked}"
        return f"{silent}; {unknown}." if unknown else f"{silent}."


def _packed(addr: Addr) -> bytes:
    try:
        packed = pack((addr[0], addr[1]))
    except (ValueError, OverflowError):
        packed = bytes(6)
    if not is_sendable(packed):
        raise AddressError(f"{addr[0]}:{addr[1]} is not an address of a DHT node.")
    return packed


def _resolve(answer: asyncio.Future[Reply], call: Call, reply: Reply | None) -> None:
    if answer.done():
        return
    if reply is not None:
        answer.set_result(reply)
    else:
        answer.set_exception(PeerUnreachable("A node of the DHT does not answer."))
