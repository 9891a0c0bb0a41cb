"""Answering: what the DHT itself asks, and the size of an answer to somebody unproved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.dht.commands import (
    DELAYED_PING,
    DOWN_HINT,
    FIND_NODE,
    INVALID_TOKEN,
    PING,
    PING_NAT,
    UNKNOWN_COMMAND,
)
from holdfast.dht.guard import AMPLIFICATION, Datagram, Guard
from holdfast.dht.ids import is_sendable, node_id, pack
from holdfast.dht.ipv4 import ADDRESS_BYTES
from holdfast.dht.nat import Address
from holdfast.dht.packet import Frame, encode_reply, read_request
from holdfast.dht.request import Request
from holdfast.dht.tokens import Tokens

if TYPE_CHECKING:
    from holdfast.dht.node import Node

PROBE_BYTES = 14
"""What a ping to somebody unproved adds to what we send there."""
FEWEST_CLOSER = 8
"""Closer nodes that are worth an answer to somebody unproved; with fewer it waits for a proof."""


class Answers:
    """The answering half of a `Node`."""

    def __init__(self, node: Node) -> None:
        self.guard = Guard()
        self._node = node
        self._tokens = Tokens(node.random)

    def receive(self, data: bytes, addr: Address, socket: object) -> None:
        """A request came in; DecodeError when it is none."""
        node = self._node
        request = read_request(data, Request)
        request.node, request.from_addr, request.from_id = node, addr, None
        request.socket, request.now, request.proved = socket, node.now, False
        if request.token is not None:
            if not self._tokens.is_good(request.token, addr[0], node.now):
                request.token = None
                request.reply(error=INVALID_TOKEN)
                return
            self.prove(addr[0])
        request.proved = self.guard.is_proved(addr[0], node.now)
        packed = pack(addr)
        if request.id is not None and request.id == node_id(packed):
            self._introduce(request, packed, request.id)
        elif node.reach.wants_any_witness and socket is node.server:
            node.reach.hear(packed, request.to_packed)
        self._dispatch(request)

    def _introduce(self, request: Request, packed: bytes, id32: bytes) -> None:
        """Who asks under its own id is somebody to know, once it has shown that it is there."""
        request.from_id = id32
        if request.proved:
            self._node.meet(packed, id32, request.to_packed, request.socket)
        elif self.guard.ask(request.from_addr[0], request.now):
            self._probe(packed, request.socket)

    def _dispatch(self, request: Request) -> None:
        handlers = _INTERNAL if request.internal else self._node.handlers
        handler = handlers.get(request.command)
        if handler is not None:
            handler(request)
        else:
            request.reply(error=UNKNOWN_COMMAND, token=False)

    def prove(self, host: str) -> None:
        """A host has shown that it receives what is sent to it."""
        for held in self.guard.prove(host, self._node.now):
            self._node.put(held.data, held.addr, held.socket)

    def answer(
        self,
        request: Request,
        value: bytes | None,
        *,
        error: int,
        closer_nodes: bool,
        token: bool,
        to: Address,
        socket: object,
    ) -> None:
        """Send the answer to a request, or hold it back until its receiver is known to be there."""
        node = self._node
        host, target, packed_to = to[0], request.target, pack(to)
        closer = b""
        if closer_nodes and target is not None:
            closer = node.table.closest_packed(target)
        id32 = node.reach.id_for(request.to_packed) if socket is node.server else None
        given = self._tokens.token(host, node.now) if token else None
        data = encode_reply(
            request.tid,
            packed_to,
            id32=id32,
            token=given,
            closer=closer,
            error=error,
            value=value,
        )
        over = len(data) - AMPLIFICATION * request.size
        if over <= 0 or request.proved or self.guard.is_proved(host, node.now):
            node.put(data, to, socket)
            return
        fit = len(closer) // ADDRESS_BYTES - -(-(over + PROBE_BYTES) // ADDRESS_BYTES)
        if fit < FEWEST_CLOSER:
            self._hold(Datagram(data, to, socket), request)
            return
        data = encode_reply(
            request.tid,
            packed_to,
            id32=id32,
            token=given,
            closer=closer[: fit * ADDRESS_BYTES],
            error=error,
            value=value,
        )
        node.put(data, to, socket)
        if self.guard.ask(host, node.now):
            self._probe(packed_to, socket)

    def _hold(self, answer: Datagram, request: Request) -> None:
        if answer.addr != request.from_addr:
            return  # for somebody else, and much larger than what brought it: nothing of ours
        if self.guard.hold(answer, self._node.now):
            self._probe(pack(answer.addr), answer.socket)

    def _probe(self, packed: bytes, socket: object) -> None:
        """Ask once, and without our id for the sake of its size, whether anybody is there."""
        node = self._node
        call = node.prepare(packed, Frame(PING, internal=True, least=PROBE_BYTES), socket)
        call.sends_left = 1
        node.launch(call, at_once=True)

    def pass_on(self, request: Request, value: bytes | None, to: Address, socket: object) -> None:
        """Send a request on to another node under its own number."""
        packed = pack(to)
        if not is_sendable(packed):
            return
        node = self._node
        frame = Frame(
            request.command,
            internal=request.internal,
            id32=node.reach.own_id() if socket is node.server else None,
            target=request.target,
            value=value,
        )
        node.put(frame.encode(request.tid, packed), to, socket)


def _ping(request: Request) -> None:
    request.reply(token=False, closer_nodes=False)


def _ping_nat(request: Request) -> None:
    """Answer to another port of the asker, to show whether strangers get through to it."""
    value = request.value or b""
    port = int.from_bytes(value[:2], "little") if len(value) >= 2 else 0
    if port:
        request.reply(token=False, closer_nodes=False, to=(request.from_addr[0], port))


def _find_node(request: Request) -> None:
    if request.target is not None:
        request.reply(token=False)


def _down_hint(request: Request) -> None:
    if request.value is not None and len(request.value) >= 6:
        request.node.upkeep.suspect(request.value[:6])
        request.reply(token=False, closer_nodes=False)


def _delayed_ping(request: Request) -> None:
    if request.value is not None and len(request.value) >= 4:
        milliseconds = int.from_bytes(request.value[:4], "little")
        request.node.upkeep.answer_later(request, milliseconds / 1000)


_INTERNAL = {
    PING: _ping,
    PING_NAT: _ping_nat,
    FIND_NODE: _find_node,
    DOWN_HINT: _down_hint,
    DELAYED_PING: _delayed_ping,
}
