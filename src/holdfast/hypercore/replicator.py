"""Decides what to ask of whom: the peers of one log and the readers that wait for its blocks.

Pure: messages come in through `Peer`, go out through its port, time comes from the injected
``clock``, and "later in this turn" is the injected ``defer``. The order of asking is: the longer
head, then seeks, then what a reader waits for, then ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from holdfast.errors import BlockNotAvailable, ConflictError, DiskFullError, StoreError
from holdfast.hypercore.answers import Answers
from holdfast.hypercore.blocks import BlockQueue
from holdfast.hypercore.heads import Heads
from holdfast.hypercore.log import Log
from holdfast.hypercore.news import News
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.ranges import RangeQueue
from holdfast.hypercore.recently_checked import RecentlyChecked
from holdfast.hypercore.reorgs import Reorgs
from holdfast.hypercore.requests import BlockDone, SeekDone, Sent, UpgradeDone, WantedBlock
from holdfast.hypercore.seeks import Seeks

ExtensionHandler = Callable[[bytes, Peer], None]


class Replicator:
    """All peers and all waiting readers of one log."""

    def __init__(
        self, log: Log, *, clock: Callable[[], float], defer: Callable[[Callable[[], None]], object]
    ) -> None:
        """``clock()`` is in seconds; ``defer(f)`` calls ``f`` soon, never from within itself."""
        self.log = log
        self.clock = clock
        self.peers: list[Peer] = []
        self.extensions: dict[str, ExtensionHandler] = {}
        self.on_conflict: Callable[[ConflictError, bytes], None] = _ignore_conflict
        """Called with the error that froze the log and the message that proves it."""
        self.on_failure: Callable[[Exception], None] = _ignore_failure
        """A received block could not be kept (disk full): fetching stops until `resume`."""

        self.ranges = RangeQueue(log)
        self.blocks = BlockQueue(log, self.ranges)
        self.answers = Answers(self)
        self.reorgs = Reorgs(self)
        self._seeks = Seeks(log, self.peers)
        self._heads = Heads(log, self.peers, lambda: self.reorgs.active)
        self._news = News()
        self.checked = RecentlyChecked(clock)
        self._defer = defer
        self._last_id = 0
        self._pump_deferred = False
        self.failure: Exception | None = None
        """Why fetching has stopped (disk full), until `resume`."""
        log.on_change = self._head_changed
        log.on_have = self._have_changed

    # -- what readers ask -----------------------------------------------------------------------

    def want_block(self, index: int, done: BlockDone) -> WantedBlock:
        """Fetch a block; ``done(bytes, None)`` or ``done(None, error)`` is called once."""
        wanted = self.blocks.want(index, done)
        self.pump_soon()
        return wanted

    def unwant_block(self, wanted: WantedBlock, done: BlockDone) -> None:
        """A reader stopped waiting."""
        self.blocks.unwant(wanted, done)

    def want_seek(self, position: int, padding: int, done: SeekDone) -> None:
        """Find the block of a byte; ``done((index, offset), None)`` or ``done(None, error)``."""
        self._seeks.want(position, padding, done)
        self.pump_soon()

    def want_upgrade(self, done: UpgradeDone) -> None:
        """``done(True)`` once the log has grown, ``done(False)`` when nobody connected has more."""
        self._heads.want(done)
        self.pump_soon()

    def unavailable(self) -> BlockNotAvailable:
        """The error for a reader who does not want to wait longer."""
        if not self.peers:
            return BlockNotAvailable("Nobody who has this data is connected.")
        return BlockNotAvailable("None of the connected peers has this data.")

    # -- asking ---------------------------------------------------------------------------------

    def next_id(self) -> int:
        """A request id never used before (ids need no reuse: they are cheap up to 2**53)."""
        self._last_id += 1
        return self._last_id

    def pump_soon(self) -> None:
        """Use free room in the windows at the end of this turn."""
        if not self._pump_deferred:
            self._pump_deferred = True
            self._defer(self.pump)

    def pump(self) -> None:
        """Write what arrived, tell peers what we now hold, ask for more."""
        for peer in list(self.peers):
            peer.settle()
        self._pump_deferred = False
        with suppress(DiskFullError):
            self.flush()
        for start, count, dropped in self._news.take():
            for peer in self.peers:
                peer.telling.tell(start, count, dropped)
        if self.failure is not None:
            return
        useful = [peer for peer in self.peers if peer.useful]
        talking = [peer for peer in useful if not peer.asking.silent]
        skipped: dict[WantedBlock, None] = {}
        for peer in talking:
            self._fill(peer, skipped)
        if len(talking) < len(useful) and not any(peer.asking.in_flight for peer in talking):
            for peer in useful:  # nobody else has what is still missing
                if peer.asking.silent:
                    self._fill(peer, skipped)
        if skipped:
            self.blocks.set_aside(skipped, useful)

    def _fill(self, peer: Peer, skipped: dict[WantedBlock, None]) -> None:
        if peer.remote.fork == self.log.local.fork:
            self._heads.ask(peer, self.blocks.take_beyond)
            self._seeks.ask(peer)
            self.blocks.fill(peer, skipped)

    # -- what peers bring -----------------------------------------------------------------------

    def added(self, peer: Peer) -> None:
        """A channel has opened."""
        self.peers.append(peer)
        self.changed(peer)

    def removed(self, peer: Peer) -> None:
        """A peer is gone: its work goes to others."""
        if peer in self.peers:
            self.peers.remove(peer)
        self.ranges.peer_changed(peer)
        for sent in peer.asking.take_all():
            self.refused(peer, sent)
        self._heads.check_waiters()

    def changed(self, peer: Peer) -> None:
        """A peer said something new about what it holds."""
        self.blocks.try_again()
        self.ranges.peer_changed(peer)
        self._seeks.changed(peer)
        self._heads.check_waiters()
        self.pump_soon()

    def on_remote_head(self, peer: Peer) -> None:
        """A peer announced its head: a higher fork starts a reorganisation."""
        if peer.remote.fork > self.log.local.fork and peer.useful:
            self.reorgs.consider(peer)

    def answered(self, sent: Sent) -> None:
        """A request was answered and the answer taken."""
        self._end(sent)
        self._seeks.advance()
        self.pump_soon()

    def refused(self, peer: Peer, sent: Sent) -> None:
        """A request came to nothing: give its work to somebody else."""
        peer.asking.promise_broken()
        if sent.reorg:
            self.reorgs.refused(peer, sent)
        self._end(sent)
        self.pump_soon()

    def _end(self, sent: Sent) -> None:
        if sent.seek is not None:
            sent.seek.in_flight -= 1
        if sent.block >= 0:
            self.blocks.unanswered(sent.block)
        if sent.reorg:
            self._heads.check_waiters()
        else:
            self._heads.ended(sent)

    # -- what changes here ----------------------------------------------------------------------

    def _head_changed(self) -> None:
        for peer in self.peers:
            peer.signal_upgrade()
        self._heads.release(True)
        self.ranges.head_changed()
        self._seeks.advance()
        self.blocks.try_again()
        if self.log.writable:
            self.blocks.deliver_own()
        self.pump_soon()

    def _have_changed(self, start: int, count: int, dropped: bool) -> None:
        self._news.add(start, count, dropped)
        self.checked.note(start, count, not dropped)
        self.pump_soon()

    def flush(self) -> None:
        """Hand received blocks to the backend. Raises `DiskFullError`; fetching then stops."""
        try:
            self.log.flush()
        except DiskFullError as error:
            self.halt(error)
            raise

    # -- trouble --------------------------------------------------------------------------------

    def halt(self, error: Exception) -> None:
        """The disk refuses: stop fetching, fail whoever waits, keep serving."""
        self.failure = error
        self.fail(error)
        self.on_failure(error)

    def resume(self) -> None:
        """Fetch again after `on_failure`."""
        if self.failure is not None:
            self.failure = None
            self.pump_soon()

    def freeze(self, conflict: ConflictError, evidence: bytes) -> None:
        """Two signed heads exist: take nothing, ask nothing and serve nothing any more."""
        self.log.frozen = conflict
        self.on_conflict(conflict, evidence)
        for peer in list(self.peers):
            peer.port.close()
        self.fail(conflict)

    def fail(self, error: Exception) -> None:
        """Nobody waits any longer: everybody who did gets the error."""
        self.blocks.fail(error)
        self._seeks.fail(error)
        for range in self.ranges.drain():
            range.done(error)
        self._heads.release(False)

    def found_damage(self) -> None:
        """Blocks that failed their check on disk are fetched again where somebody has them."""
        if not self.log.writable:
            with suppress(StoreError):  # a full disk: what is claimed in error is refused again
                for index in list(self.log.damaged_blocks):
                    self.log.forget(index)

    def deadline(self) -> float | None:
        """When `on_deadline` wants to be called: the first peer's silence becomes too long."""
        due = [peer.asking.deadline() for peer in self.peers]
        return min((at for at in due if at is not None), default=None)

    def on_deadline(self, now: float) -> None:
        """Take the requests of silent peers back."""
        for peer in list(self.peers):
            due = peer.asking.deadline()
            if due is not None and due <= now:
                peer.asking.silent = True
                for sent in list(peer.asking.in_flight.values()):
                    peer.asking.give_up(sent)
                    self.refused(peer, sent)


def _ignore_conflict(error: ConflictError, evidence: bytes) -> None:
    """Stand-in where nobody listens."""


def _ignore_failure(error: Exception) -> None:
    """Stand-in where nobody listens."""
