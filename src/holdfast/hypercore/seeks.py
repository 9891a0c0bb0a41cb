"""Readers that look for the block of a byte: tree nodes are fetched until the answer is known."""

from __future__ import annotations

from holdfast.errors import SeekError
from holdfast.hypercore.log import Log
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.requests import SeekDone, WantedSeek
from holdfast.hypercore.tree_view import local_seek, seek_hash_request, seek_range


class Seeks:
    """The seeks of one log that the tree held here cannot answer yet."""

    def __init__(self, log: Log, peers: list[Peer]) -> None:
        self._log = log
        self._peers = peers
        self._waiting: list[WantedSeek] = []

    def want(self, position: int, padding: int, done: SeekDone) -> None:
        """Find a byte: ``done((index, offset), None)`` or ``done(None, error)``, once."""
        self._waiting.append(WantedSeek(position, padding, done))
        self.advance()

    def ask(self, peer: Peer) -> None:
        """Ask a peer for the next nodes on the way, as far as its window allows."""
        for seek in self._waiting:
            if seek.in_flight or not peer.asking.window.open:
                continue
            state = self._log.local
            request = seek_hash_request(state, seek.position, seek.padding, peer.claims.next_held)
            if request is None:
                blocks = seek_range(state, seek.position, seek.padding)
                if blocks is not None:
                    peer.claims.ask_about(blocks[2])
            elif (peer, request) not in seek.tried:
                seek.tried.add((peer, request))
                seek.in_flight += 1
                peer.asking.ask(seek=seek, hash=request, priority=1)

    def changed(self, peer: Peer) -> None:
        """A peer said something new: what it refused before may go now."""
        if self._waiting:
            for seek in self._waiting:
                seek.tried = {asked for asked in seek.tried if asked[0] is not peer}
            self.advance()

    def advance(self) -> None:
        """Answer what the tree held here can answer now."""
        for seek in list(self._waiting):
            try:
                found = local_seek(self._log.local, seek.position, seek.padding)
            except SeekError as error:
                if not self._may_grow():
                    self._waiting.remove(seek)
                    seek.done(None, error)
                continue
            if found is not None:
                self._waiting.remove(seek)
                seek.done(found, None)

    def _may_grow(self) -> bool:
        """Whether a longer version may still come, from the peers we have or from the first."""
        length = self._log.local.length
        if self._log.writable:
            return False
        return length == 0 or any(
            not peer.remote.synced or peer.useful and peer.remote.length > length
            for peer in self._peers
        )

    def fail(self, error: Exception) -> None:
        """Nobody will be told where anything is."""
        waiting, self._waiting = self._waiting, []
        for seek in waiting:
            seek.done(None, error)
