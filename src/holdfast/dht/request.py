"""What somebody asks of us, with the means to answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.dht.ids import unpack
from holdfast.dht.nat import Address
from holdfast.dht.packet import RequestPacket

if TYPE_CHECKING:
    from holdfast.dht.node import Node


class Request(RequestPacket):
    """A request; answer it once, now or later, or not at all."""

    __slots__ = ("from_addr", "from_id", "node", "now", "proved", "socket")

    node: Node
    from_addr: Address
    from_id: bytes | None
    """The id of who asks, if it is there to stay."""
    now: float
    """When it came in."""
    proved: bool
    """The asker has shown that it receives at its address."""
    socket: object
    """The socket it came in on; answers leave by it."""

    @property
    def to(self) -> Address:
        """Our address as the asker sees us."""
        return unpack(self.to_packed)

    @property
    def own_id(self) -> bytes | None:
        """Our id as the asker knows it; None when we do not stay, or not on this socket."""
        reach = self.node.reach
        return reach.id_for(self.to_packed) if self.socket is self.node.server else None

    def reply(
        self,
        value: bytes | None = None,
        *,
        error: int = 0,
        closer_nodes: bool = True,
        token: bool = True,
        to: Address | None = None,
        socket: object = None,
    ) -> None:
        """Answer, with nodes nearer to the target and a token to store with, unless told not to."""
        self.node.answers.answer(
            self,
            value,
            error=error,
            closer_nodes=closer_nodes,
            token=token,
            to=to or self.from_addr,
            socket=self.socket if socket is None else socket,
        )

    def relay(self, value: bytes | None, to: Address, *, socket: object = None) -> None:
        """Pass the request on with another value; its answer must find its own way back."""
        self.node.answers.pass_on(self, value, to, self.socket if socket is None else socket)
