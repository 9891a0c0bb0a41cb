"""Following a writer to a higher fork: check its head, find the last common block, cut there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.errors import InvalidProof
from holdfast.hypercore import messages as wire
from holdfast.hypercore.answers import learn_manifest
from holdfast.hypercore.reorg import ReorgBatch
from holdfast.hypercore.state import TreeState

if TYPE_CHECKING:
    from holdfast.hypercore.peer import Peer
    from holdfast.hypercore.replicator import Replicator
    from holdfast.hypercore.requests import Sent


class Reorgs:
    """At most one reorganisation at a time; a newer fork replaces an older candidate."""

    def __init__(self, replicator: Replicator) -> None:
        self._replicator = replicator
        self._log = replicator.log
        self._fork = -1
        self._batch: ReorgBatch | None = None
        self._asked: Sent | None = None

    @property
    def active(self) -> bool:
        """Whether an answer is on its way."""
        return self._asked is not None

    def consider(self, peer: Peer) -> None:
        """A peer announced a higher fork than ours."""
        busy = self._asked is not None and peer.remote.fork <= self._fork
        if busy or not peer.remote.length or peer.remote.fork <= self._log.local.fork:
            return
        self._fork, self._batch = peer.remote.fork, None
        self._asked = peer.asking.ask(upgrade=(0, peer.remote.length), reorg=True)

    def on_data(self, peer: Peer, sent: Sent, data: wire.Data) -> None:
        """An answer to one of our requests. Raises `InvalidProof`."""
        if sent is not self._asked:
            return
        self._asked = None
        if data.manifest is not None and self._log.manifest is None:
            learn_manifest(self._log, data.manifest)
        if data.fork != self._fork or data.block is not None:
            raise InvalidProof("The answer is not for the fork that was asked for.")
        if self._batch is None:
            self._log.flush()
            batch = ReorgBatch(self._log.local, self._log.verifier)
            batch.start(data)
            self._batch = batch
        else:
            self._batch.apply(data)
        self._go_on(peer)

    def _go_on(self, peer: Peer) -> None:
        batch = self._batch
        assert batch is not None
        if batch.finished:
            self._apply(batch)
            return
        # Whoever holds a block holds its nodes; who holds none (a writer that cleared) may still.
        request = batch.next_request(peer.claims.next_held) or batch.next_request()
        if request is None:
            self._batch, self._fork = None, -1
            return
        self._asked = peer.asking.ask(hash=request, reorg=True)

    def _apply(self, batch: ReorgBatch) -> None:
        self._batch, self._fork = None, -1
        log, reorg = self._log, batch.finish()
        state = TreeState(log.node, reorg.fork, reorg.length, reorg.roots, reorg.signature or b"")
        log.reorganise(state, reorg.ancestors, reorg.nodes)
        for peer in list(self._replicator.peers):
            peer.forget_claims_from(reorg.ancestors)
            peer.claims.ask_again()
            self._replicator.changed(peer)

    def refused(self, peer: Peer, sent: Sent) -> None:
        """A request came to nothing: try another peer with a higher fork."""
        if sent is not self._asked:
            return
        self._asked, self._batch, self._fork = None, None, -1
        for other in self._replicator.peers:
            if other is not peer and other.useful and other.remote.fork > self._log.local.fork:
                self.consider(other)
                return
