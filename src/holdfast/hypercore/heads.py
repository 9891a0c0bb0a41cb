"""Getting longer: the one request for a longer head, and the readers who wait for its end."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.hypercore.log import Log
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.requests import Sent, UpgradeDone


class Heads:
    """At most one request for a longer head of our fork is under way, with whoever has one."""

    def __init__(self, log: Log, peers: list[Peer], reorganising: Callable[[], bool]) -> None:
        """``reorganising()`` tells whether a move to a higher fork is under way."""
        self._log = log
        self._peers = peers
        self._reorganising = reorganising
        self._asked: Sent | None = None
        self._waiters: list[UpgradeDone] = []

    def want(self, done: UpgradeDone) -> None:
        """``done(True)`` once the log has grown, ``done(False)`` when nobody connected has more."""
        self._waiters.append(done)
        self.check_waiters()

    def ask(self, peer: Peer, take_beyond: Callable[[int, Peer], int]) -> None:
        """Ask a peer of our fork for its longer head, or for the manifest of a log still empty.

        ``take_beyond(length, peer)`` gives a block to be sent along, or -1.
        """
        length, remote = self._log.local.length, peer.remote
        if remote.length == 0:
            unknown = self._log.manifest is None and remote.has_manifest
            if unknown and not peer.asking.in_flight:
                peer.asking.ask()
            return
        longer = remote.length > length and remote.can_upgrade and remote.acked == length
        if longer and self._asked is None:
            block = take_beyond(length, peer)
            self._asked = peer.asking.ask(block=block, upgrade=(length, remote.length - length))

    def ended(self, sent: Sent) -> None:
        """A request was answered or came to nothing."""
        if self._asked is sent:
            self._asked = None
            self.check_waiters()

    def check_waiters(self) -> None:
        """Tell those who wait for a longer log once it is clear that no peer has one."""
        if not self._waiters or self._asked is not None or self._reorganising():
            return
        if not any(self._may_bring_more(peer) for peer in self._peers):
            self.release(False)

    def _may_bring_more(self, peer: Peer) -> bool:
        state, remote = self._log.local, peer.remote
        if not remote.synced:
            return True
        if remote.fork == state.fork:
            return peer.useful and remote.can_upgrade and remote.length > state.length
        return peer.useful and remote.fork > state.fork

    def release(self, grown: bool) -> None:
        """Nobody waits any longer: the log has grown, or will not."""
        waiters, self._waiters = self._waiters, []
        for done in waiters:
            done(grown)
