"""Small messages between the peers of one log, beside replication."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.encoding import decode_buffer, encode_buffer
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.replicator import Replicator


class Extension:
    """A named extension of a log's channel. Messages may be lost with it, but never change order.

    On the wire a message is a length-prefixed buffer, as JavaScript's ``registerExtension`` has it
    unless told otherwise.
    """

    def __init__(
        self, replicator: Replicator, name: str, on_message: Callable[[bytes, Peer], None]
    ) -> None:
        self._replicator = replicator
        self.name = name
        self._on_message = on_message
        replicator.extensions[name] = self._receive

    def _receive(self, data: bytes, peer: Peer) -> None:
        self._on_message(bytes(decode_buffer(data, 0)[0]), peer)

    def send(self, data: bytes, peer: Peer) -> None:
        """Send to one peer."""
        peer.send_extension(self.name, encode_buffer(data))

    def broadcast(self, data: bytes) -> None:
        """Send to every peer of the log."""
        for peer in list(self._replicator.peers):
            self.send(data, peer)

    def close(self) -> None:
        """Stop listening."""
        self._replicator.extensions.pop(self.name, None)
