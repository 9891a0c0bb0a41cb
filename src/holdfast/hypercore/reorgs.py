"""Following a writer to a higher fork: check its head, find the last common block, cut there, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.errors import InvalidProof
from holdfast.hypercore import messages as wire

if TYPE_CHECKING:
    from holdfast.hypercore.reorg import ReorgBatch
    from holdfast.hypercore.peer import Peer
    from holdfast.hypercore.replicator import Replicator
    from holdfast.hypercore.requests import Sent


class Reorgs:
    """At most one reorganisation at a time; a newer fork replaces an older candidate."""

    def __init__(self, replicator: Replicator) -> None:
        self._replicator = replicator
        self._fork = -1
        self._batch: ReorgBatch | None = None
        self._asked: Sent | None = None

    @property
    def active(self) -> bool:
        """Whether an answer is on its way."""
        return self._asked is not None

    def consider(self, peer: Peer) -> None:
        """A peer announced a higher fork than ours."""
        if peer.remote_fork <= self._fork and self._asked is not None or not peer.remote_length:
            return
        self._fork, self._batch = peer.remote_fork, None
        self._asked = peer.ask(upgrade=(0, peer.remote_length), reorg=True)

    def refused(self, peer, sent):
        self._asked = None
