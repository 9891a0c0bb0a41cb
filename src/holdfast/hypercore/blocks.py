"""Blocks that readers wait for and ranges fetch, and which peer is asked for them."""

from __future__ import annotations

from collections import deque

from holdfast.hypercore.log import Log
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.ranges import RangeQueue
from holdfast.hypercore.requests import BlockDone, WantedBlock


class BlockQueue:
    """Blocks on their way to us. What a reader waits for goes before what a range fetches."""

    def __init__(self, log: Log, ranges: RangeQueue) -> None:
        self._log = log
        self._ranges = ranges
        self._wanted: dict[int, WantedBlock] = {}
        self._queue: deque[WantedBlock] = deque()
        self._stuck: list[WantedBlock] = []

    def want(self, index: int, done: BlockDone) -> WantedBlock:
        """A reader waits for a block: ``done(bytes, None)`` or ``done(None, error)``, once."""
        wanted = self._wanted.get(index)
        if wanted is None:
            wanted = self._wanted[index] = WantedBlock(index)
        wanted.waiters.append(done)
        if not wanted.in_flight:
            self._enqueue(wanted)
        return wanted

    def unwant(self, wanted: WantedBlock, done: BlockDone) -> None:
        """A reader stopped waiting."""
        if done in wanted.waiters:
            wanted.waiters.remove(done)
        idle = not wanted.waiters and not wanted.in_flight
        if idle and self._wanted.get(wanted.index) is wanted:
            del self._wanted[wanted.index]

    def _enqueue(self, wanted: WantedBlock) -> None:
        if not wanted.queued:
            wanted.queued = True
            self._queue.append(wanted)

    # -- asking ---------------------------------------------------------------------------------

    def fill(self, peer: Peer, skipped: dict[WantedBlock, None]) -> None:
        """Fill the peer's window; ``skipped`` collects what it cannot give to those who wait."""
        window = peer.asking.window
        for _ in range(len(self._queue)):
            if not window.open:
                return
            wanted = self._queue.popleft()
            if wanted.in_flight or self._wanted.get(wanted.index) is not wanted:
                wanted.queued = False
            elif self._may_ask(peer, wanted.index):
                wanted.queued = False
                wanted.in_flight = 1
                peer.asking.ask(block=wanted.index, priority=1 if wanted.waiters else 0)
            else:
                self._queue.append(wanted)
                skipped[wanted] = None
                if not peer.claims.has(wanted.index):
                    peer.claims.ask_about(wanted.index)
        while window.open:
            index = self._ranges.next_for(peer, self._wanted)
            if index < 0:
                return
            wanted = self._wanted[index] = WantedBlock(index)
            wanted.in_flight = 1
            peer.asking.ask(block=index)

    def _may_ask(self, peer: Peer, index: int) -> bool:
        """Whether the peer can prove this block against the head we have."""
        length = self._log.local.length
        if index >= length or not peer.claims.has(index):
            return False
        return peer.can_upgrade or index < peer.remote.length or peer.remote.length >= length

    def take_beyond(self, length: int, peer: Peer) -> int:
        """A block past ``length`` that a reader waits for and the peer holds, or -1.

        Whoever asks for a longer head takes it along: one round trip less.
        """
        for wanted in (*self._queue, *self._stuck):
            index = wanted.index
            if length <= index < peer.remote.length and peer.claims.has(index):
                wanted.in_flight += 1
                return index
        return -1

    def set_aside(self, skipped: dict[WantedBlock, None], peers: list[Peer]) -> None:
        """Blocks that no peer can give leave the queue until a peer says something new."""
        for wanted in skipped:
            if wanted.queued and not any(self._may_ask(peer, wanted.index) for peer in peers):
                wanted.queued = False
                self._stuck.append(wanted)
        self._queue = deque(wanted for wanted in self._queue if wanted.queued)

    def try_again(self) -> None:
        """Something is new: a peer may now give what none could before."""
        if self._stuck:
            stuck, self._stuck = self._stuck, []
            for wanted in stuck:
                self._enqueue(wanted)

    # -- answers --------------------------------------------------------------------------------

    def deliver(self, index: int, value: bytes | memoryview) -> None:
        """A block is here."""
        wanted = self._wanted.pop(index, None)
        for finished in self._ranges.arrived(index):
            finished.done(None)
        if wanted is not None:
            for done in wanted.waiters:
                done(value, None)

    def unanswered(self, index: int) -> None:
        """A request for this block ended without it: ask again, if anybody still wants it."""
        wanted = self._wanted.get(index)
        if wanted is None:
            return
        wanted.in_flight = max(wanted.in_flight - 1, 0)
        if wanted.in_flight:
            return
        if wanted.waiters or self._ranges.covers(index):
            self._enqueue(wanted)
        else:
            del self._wanted[index]

    def deliver_own(self) -> None:
        """Blocks that somebody waits for and that this process has just written itself."""
        for wanted in list(self._wanted.values()):
            if wanted.waiters and self._log.has(wanted.index):
                value = self._log.block(wanted.index)
                if value is not None:
                    self.deliver(wanted.index, value)

    def fail(self, error: Exception) -> None:
        """Nobody will get anything."""
        wanted, self._wanted = self._wanted, {}
        self._queue.clear()
        self._stuck.clear()
        for block in wanted.values():
            for done in block.waiters:
                done(None, error)
