"""Keeps a writer from signing two heads for one length.

A store that was restored from a backup, copied, or rolled back by a power cut may be behind what it
once showed to others. Appending to it would fork the log for ever, so the writer first has to catch
up with a peer, or its owner has to say that no other copy exists.
"""

from __future__ import annotations

from holdfast.errors import StaleWriterError
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.replicator import Replicator
from holdfast.storage import Storage

PROOF_WITHIN = 30.0
"""Seconds in which a peer that says it has more must prove it: so long may a liar delay us."""


class WriterGuard:
    """Decides whether a log of ours may be appended to now."""

    def __init__(self, replicator: Replicator, storage: Storage) -> None:
        self._replicator = replicator
        self._log = replicator.log
        self._storage = storage
        self._cleared = False
        self._claims: dict[Peer, float] = {}
        """Peers that say they have more, and since when."""

    def check(self) -> None:
        """Raise `StaleWriterError` when appending could contradict what others already have.

        `ConflictError` when it has happened.
        """
        if self._log.frozen is not None:
            raise self._log.frozen.with_traceback(None)
        if self._cleared or not self._log.writable:
            return
        state = self._log.local
        published = self._storage.highwater(self._log.key)
        if published is not None and published > self._end:
            raise StaleWriterError(
                f"This store holds {state.length} blocks of a log of yours, but {published[1]} were"
                " already published from here: it is an older copy.",
                "Connect to somebody who has the newer blocks; then fetch them and go on writing.",
            )
        if self._claimed_longer():
            raise StaleWriterError(
                "A peer holds a longer version of this log of yours: this is an older copy.",
                "Wait until the newer blocks have been fetched, then try again.",
            )
        if self._storage.moved and state.length and not self._confirmed_by_peer():
            raise StaleWriterError(
                "This store was copied or restored from somewhere else, so another copy may have "
                "written on.",
                "Connect to somebody who holds this log, or run `holdfast confirm` if this is the "
                "only copy that will ever write.",
            )
        self._cleared = True

    def _claimed_longer(self) -> bool:
        """Whether a peer says that it has more, and may still prove it."""
        now = self._replicator.clock()
        claims = [
            peer
            for peer in self._replicator.peers
            if _end(peer) > self._end and peer.useful and not peer.asking.silent
        ]
        self._claims = {peer: self._claims.get(peer, now) for peer in claims}
        return any(now - since < PROOF_WITHIN for since in self._claims.values())

    def _confirmed_by_peer(self) -> bool:
        return any(
            peer.remote.synced and _end(peer) >= self._end for peer in self._replicator.peers
        )

    @property
    def _end(self) -> tuple[int, int]:
        return self._log.local.fork, self._log.local.length

    def published(self) -> None:
        """Note the head that peers may now have seen."""
        if self._log.writable:
            shared = self._log.shared
            self._storage.set_highwater(self._log.key, shared.fork, shared.length)


def _end(peer: Peer) -> tuple[int, int]:
    return peer.remote.fork, peer.remote.length
