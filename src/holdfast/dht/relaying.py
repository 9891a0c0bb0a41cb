"""Carries handshakes for others, and hands those for servers on this node to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from holdfast.dht.handshake_messages import (
    PEER_HANDSHAKE,
    PEER_HOLEPUNCH,
    Handshake,
    Holepunch,
)
from holdfast.dht.router import Answer, Decision, Pass, Router, Serve

if TYPE_CHECKING:
    from holdfast.dht.node import Node
    from holdfast.dht.request import Request

Respond = Callable[[bytes, object], None]
"""Sends an answer, from the socket given (None: the one on which the question came)."""


class HandshakeServer(Protocol):
    """A peer on this node that waits for connections."""

    def on_handshake(self, message: Handshake, request: Request, respond: Respond) -> None:
        """A client wants to connect; it may never get an answer."""

    def on_holepunch(self, message: Holepunch, request: Request, respond: Respond) -> None:
        """A client whose handshake we have answered speaks of hole punching."""


class Relaying:
    """The two commands of a node that are about connecting peers."""

    def __init__(self, node: Node) -> None:
        self.router = Router()
        self._servers: dict[bytes, HandshakeServer] = {}
        node.handlers[PEER_HANDSHAKE] = self._on_handshake
        node.handlers[PEER_HOLEPUNCH] = self._on_holepunch

    def serve(self, target: bytes, record: bytes, server: HandshakeServer) -> None:
        """Hand to ``server`` what is asked under ``target``, the hash of its key."""
        self._servers[target] = server
        self.router.serve(target, record)

    def stop_serving(self, target: bytes) -> None:
        """The server under ``target`` is closed."""
        self._servers.pop(target, None)
        self.router.stop_serving(target)

    def is_served(self, target: bytes) -> bool:
        """Whether there is a server under ``target`` on this node."""
        return target in self._servers

    def _on_handshake(self, request: Request) -> None:
        decision = self.router.handshake(
            request.target, request.value, request.from_addr, request.tid, request.now
        )
        if isinstance(decision, Serve):
            message = decision.message
            assert isinstance(message, Handshake)
            server = self._servers[decision.target]
            server.on_handshake(message, request, self._responder(decision, request))
        else:
            _carry_out(decision, request, None)

    def _on_holepunch(self, request: Request) -> None:
        decision = self.router.holepunch(
            request.target, request.value, request.from_addr, request.tid, request.now
        )
        if isinstance(decision, Serve):
            message = decision.message
            assert isinstance(message, Holepunch)
            server = self._servers[decision.target]
            server.on_holepunch(message, request, self._responder(decision, request))
        else:
            _carry_out(decision, request, None)

    def _responder(self, asked: Serve, request: Request) -> Respond:
        def respond(said: bytes, socket: object) -> None:
            _carry_out(self.router.served(asked, said, request.from_addr), request, socket)

        return respond


def _carry_out(decision: Decision, request: Request, socket: object) -> None:
    if isinstance(decision, Answer):
        request.reply(
            decision.value,
            closer_nodes=decision.closer_nodes,
            token=False,
            to=decision.to,
            socket=socket,
        )
    elif isinstance(decision, Pass):
        request.relay(decision.value, decision.to, socket=socket)
