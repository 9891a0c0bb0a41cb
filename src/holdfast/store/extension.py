"""Small messages between the peers of one log, beside replication."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.hypercore.peer import Peer
from holdfast.hypercore.replicator import Replicator


class Extension:
    """A named extension of a log's channel. Messages may be lost with the connection, never reordered."""

    def __init__(
        self, replicator: Replicator, name: str, on_message: Callable[[bytes, Peer], None]
    ) -> None:
        self._replicator = replicator
        self.name = name
        replicator.extensions[name] = on_message

    def send(self, data: bytes, peer: Peer) -> None:
        """Send to one peer."""
        if peer.opened and not peer.closed:
            peer.send_extension(self.name, data)

    def broadcast(self, data: bytes) -> None:
        """Send to every peer of the log."""
        for peer in list(self._replicator.peers):
            self.send(data, peer)

    def close(self) -> None:
        """Stop listening."""
        self._replicator.extensions.pop(self.name, None)
