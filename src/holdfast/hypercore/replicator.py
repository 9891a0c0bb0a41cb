"""Decides what to ask of whom: the peers of one log and the readers that wait for its blocks.

Pure: messages come in through `Peer`, go out through its port, time comes from the injected
``clock``, and "later in this turn" is the injected ``defer``. The order of asking is: what a reader
waits for, then seeks, then the longer head, then ranges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from holdfast.errors import (
    BlockNotAvailable,
    ConflictError,
    DecodeError,
    DiskFullError,
    InvalidProof,
    SeekError,
)
from holdfast.hypercore import messages as wire
from holdfast.hypercore.conflict import evidence_of_conflict
from holdfast.hypercore.log import Log
from holdfast.hypercore.manifest import decode_manifest
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.proof_verify import StaleProof, verify_block, verify_proof
from holdfast.hypercore.ranges import RangeQueue
from holdfast.hypercore.reorgs import Reorgs
from holdfast.hypercore.requests import (
    BlockDone,
    SeekDone,
    Sent,
    UpgradeDone,
    WantedBlock,
    WantedSeek,
)
from holdfast.hypercore.state import TreeState
from holdfast.hypercore.tree_view import local_seek, seek_hash_request

SILENCE = 15.0
"""Seconds without any answer after which a peer's requests are given to others."""

ExtensionHandler = Callable[[bytes, Peer], None]


class Replicator:
    """All peers and all waiting readers of one log."""

    def __init__(
        self, log: Log, *, clock: Callable[[], float], defer: Callable[[Callable[[], None]], None]
    ) -> None:
        self.log = log
        self.clock = clock
        self.defer = defer
        self.peers: list[Peer] = []
        self.downloading = True
        self.extensions: dict[str, ExtensionHandler] = {}
        self.on_conflict: Callable[[ConflictError, bytes], None] = lambda error, proof: None
        self.on_failure: Callable[[Exception], None] = lambda error: None
        """A received block could not be kept (disk full): fetching stops until `resume`."""

        self.ranges = RangeQueue(log)
        self.reorgs = Reorgs(self)
        self._wanted: dict[int, WantedBlock] = {}
        self._queue: deque[WantedBlock] = deque()
        self._stuck: list[WantedBlock] = []
        self._seeks: list[WantedSeek] = []
        self._upgrade: Sent | None = None
        self._upgrade_waiters: list[UpgradeDone] = []
        self._last_id = 0
        self._pump_deferred = False
        self._haves: list[tuple[int, int, bool]] = []
        self._halted = False
        log.on_change = self._head_changed
        log.on_have = self._have_changed

    # -- what readers ask -----------------------------------------------------------------------

    def want_block(self, index: int, done: BlockDone) -> WantedBlock:
        """Fetch a block; ``done(bytes, None)`` or ``done(None, error)`` is called once."""
        wanted = self._wanted.get(index)
        if wanted is None:
            wanted = self._wanted[index] = WantedBlock(index)
        wanted.waiters.append(done)
        if not wanted.in_flight:
            self._enqueue(wanted)
        self.pump_soon()
        return wanted

    def unwant_block(self, wanted: WantedBlock, done: BlockDone) -> None:
        """A reader stopped waiting."""
        if done in wanted.waiters:
            wanted.waiters.remove(done)
        if not wanted.waiters and not wanted.in_flight:
            self._wanted.pop(wanted.index, None)

    def want_seek(self, position: int, padding: int, done: SeekDone) -> None:
        """Find the block that holds a byte; ``done((index, offset), None)`` or ``done(None, error)``."""
        self._seeks.append(WantedSeek(position, padding, done))
        self._advance_seeks()
        self.pump_soon()

    def want_upgrade(self, done: UpgradeDone) -> None:
        """``done(True)`` once the log is longer, ``done(False)`` when no connected peer has more."""
        self._upgrade_waiters.append(done)
        self._check_upgrade_waiters()
        self.pump_soon()

    def next_id(self) -> int:
        """A request id never used before (ids need no reuse: they are cheap up to 2**53)."""
        self._last_id += 1
        return self._last_id

    @property
    def average_size(self) -> int:
        """Bytes to expect of a block nobody has seen."""
        state = self.log.local
        return max(64, state.byte_length // state.length) if state.length else 1024

    # -- asking ---------------------------------------------------------------------------------

    def pump_soon(self) -> None:
        """Use free room in the windows at the end of this turn."""
        if not self._pump_deferred:
            self._pump_deferred = True
            self.defer(self.pump)

    def pump(self) -> None:
        """Write what arrived, tell peers what we now hold, ask for more."""
        self._pump_deferred = False
        self.flush()
        self._tell_haves()
        if self._halted:
            return
        useful = [peer for peer in self.peers if peer.useful]
        asked = [peer for peer in useful if not peer.silent] or useful
        skipped: dict[WantedBlock, None] = {}
        for peer in asked:
            self._fill(peer, skipped)
        if skipped:
            self._set_aside(skipped, asked)

    def _set_aside(self, skipped: dict[WantedBlock, None], asked: list[Peer]) -> None:
        """Blocks that no peer can give leave the queue until a peer says something new."""
        for wanted in skipped:
            if wanted.queued and not any(self._may_ask(peer, wanted.index) for peer in asked):
                wanted.queued = False
                self._stuck.append(wanted)
        self._queue = deque(wanted for wanted in self._queue if wanted.queued)

    def _fill(self, peer: Peer, skipped: dict[WantedBlock, None]) -> None:
        self._ask_head(peer)
        if peer.remote_fork != self.log.local.fork:
            return
        for seek in self._seeks:
            if not seek.in_flight and peer.window.open:
                self._ask_seek(peer, seek)
        window = peer.window
        for _ in range(len(self._queue)):
            if not window.open:
                return
            wanted = self._queue.popleft()
            if wanted.in_flight or self._wanted.get(wanted.index) is not wanted:
                wanted.queued = False
            elif self._may_ask(peer, wanted.index):
                wanted.queued = False
                self._ask_block(peer, wanted, 1 if wanted.waiters else 0)
            else:
                self._queue.append(wanted)
                skipped[wanted] = None
                if not peer.remote_has(wanted.index):
                    peer.ask_what_it_holds(wanted.index)
        while window.open:
            index = self.ranges.next_for(peer, self._wanted)
            if index < 0:
                return
            wanted = self._wanted[index] = WantedBlock(index)
            self._ask_block(peer, wanted, 0)

    def _may_ask(self, peer: Peer, index: int) -> bool:
        """Whether the peer can prove this block against the head we have."""
        length = self.log.local.length
        if index >= length or not peer.remote_has(index):
            return False
        return peer.remote_length >= length or peer.can_upgrade or index < peer.remote_length

    def _ask_block(self, peer: Peer, wanted: WantedBlock, priority: int) -> None:
        wanted.in_flight += 1
        peer.ask(block=wanted.index, priority=priority)

    def _ask_head(self, peer: Peer) -> None:
        state = self.log.local
        if peer.remote_fork != state.fork:
            return
        if (
            self.log.manifest is None
            and peer.remote_has_manifest
            and peer.remote_length == 0
            and not peer.in_flight
        ):
            peer.ask()
            return
        if (
            self._upgrade is not None
            or not peer.remote_can_upgrade
            or peer.remote_length <= state.length
            or peer.length_acked != state.length
        ):
            return
        block = -1
        for wanted in (*self._queue, *self._stuck):
            # One round trip less for whoever waits for a block beyond the head we know.
            if state.length <= wanted.index < peer.remote_length and peer.remote_has(wanted.index):
                block = wanted.index
                wanted.in_flight += 1
                break
        self._upgrade = peer.ask(
            block=block, upgrade=(state.length, peer.remote_length - state.length)
        )

    def _ask_seek(self, peer: Peer, seek: WantedSeek) -> None:
        request = seek_hash_request(self.log.local, seek.position, seek.padding, peer.next_held)
        if request is None or (peer, request) in seek.tried:
            return
        seek.tried.add((peer, request))
        seek.in_flight += 1
        peer.ask(seek=seek, hash=request, priority=1)

    def _enqueue(self, wanted: WantedBlock) -> None:
        if not wanted.queued:
            wanted.queued = True
            self._queue.append(wanted)

    def changed(self, peer: Peer) -> None:
        """A peer said something new about what it holds."""
        if self._stuck:
            stuck, self._stuck = self._stuck, []
            for wanted in stuck:
                self._enqueue(wanted)
        self.ranges.peer_changed(peer)
        for seek in self._seeks:
            seek.tried = {asked for asked in seek.tried if asked[0] is not peer}
        if self._seeks:
            self._advance_seeks()
        self._check_upgrade_waiters()
        self.pump_soon()

    def on_remote_head(self, peer: Peer) -> None:
        """A peer announced its head: a higher fork starts a reorganisation."""
        if peer.remote_fork > self.log.local.fork and peer.useful:
            self.reorgs.consider(peer)

    # -- answers --------------------------------------------------------------------------------

    def on_data(self, peer: Peer, sent: Sent, data: wire.Data) -> None:
        """An answer to one of our requests."""
        try:
            if sent.reorg:
                self.reorgs.on_data(peer, sent, data)
                self._check_upgrade_waiters()
                return
            if data.fork != self.log.local.fork:
                raise StaleProof("The answer is for another fork.")
            self._check_matches(sent, data)
            if data.manifest is not None and self.log.manifest is None:
                self.learn_manifest(data.manifest)
            if data.block is not None and self.log.has(data.block.index) and data.upgrade is None:
                pass  # somebody else was quicker
            elif data.block is not None and data.upgrade is data.hash is data.seek is None:
                self._take_block(peer, data.block)
            elif data.upgrade or data.hash or data.seek or data.block:
                self._take_proof(data)
                if data.block is not None:
                    self._deliver(data.block.index, data.block.value)
        except (InvalidProof, DecodeError) as error:
            if sent.optimistic:
                # The answer it builds on has not come (yet): ask again, for a proof that stands alone.
                peer.optimistic = False
                self.refused(peer, sent)
            elif isinstance(error, StaleProof):
                peer.no_data += 1
                self.refused(peer, sent)
            else:
                self._bad_data(peer, sent)
            return
        except DiskFullError as error:
            self._halt(error)
            self.refused(peer, sent)
            return
        self._settle(sent)
        self.pump_soon()

    def _take_block(self, peer: Peer, block: wire.BlockData) -> None:
        log = self.log
        nodes = verify_block(log.local, block.index, block.value, block.nodes)
        log.receive_nodes(nodes)
        log.receive_block(block.index, block.value)
        peer.blocks_received += 1
        self._deliver(block.index, block.value)

    def _take_proof(self, data: wire.Data) -> None:
        log = self.log
        update = verify_proof(log.local, data, log.verifier)
        log.receive_nodes(update.nodes)
        if update.upgraded:
            log.receive_upgrade(
                TreeState(log.node, update.fork, update.length, update.roots, update.signature)
            )
        if data.block is not None:
            log.receive_block(data.block.index, data.block.value)

    def _deliver(self, index: int, value: bytes | memoryview) -> None:
        wanted = self._wanted.pop(index, None)
        for finished in self.ranges.arrived(index):
            finished.done(None)
        if wanted is not None:
            for done in wanted.waiters:
                done(value, None)

    def _settle(self, sent: Sent) -> None:
        """Drop what was asked by a request that was answered."""
        if self._upgrade is sent:
            self._upgrade = None
            self._check_upgrade_waiters()
        if sent.seek is not None:
            sent.seek.in_flight -= 1
        if sent.block >= 0:
            wanted = self._wanted.get(sent.block)
            if wanted is not None:  # answered without the block
                wanted.in_flight -= 1
                self._again(wanted)
        if self._seeks:
            self._advance_seeks()

    def _check_matches(self, sent: Sent, data: wire.Data) -> None:
        """Nothing is taken that was not asked for."""
        wrong = (
            (data.block is not None and data.block.index != sent.block)
            or (data.hash is not None and data.hash.index != sent.hash)
            or (
                data.seek is not None
                and (sent.seek is None or data.seek.bytes != sent.seek.position)
            )
            or (
                data.upgrade is not None
                # A log with a prologue answers from 0, whatever was asked.
                and (sent.upgrade is None or data.upgrade.start not in (0, sent.upgrade[0]))
            )
        )
        if wrong:
            raise InvalidProof("The peer answered something that was not asked.")

    def learn_manifest(self, encoded: bytes | memoryview) -> None:
        """Take a manifest that a peer sent. Raises `InvalidProof` when it is not this key's."""
        manifest = decode_manifest(encoded)
        self.log.verifier.check_manifest(manifest)
        self.log.receive_manifest(manifest)

    def _bad_data(self, peer: Peer, sent: Sent) -> None:
        """A proof failed. Two signed heads, or a liar: ask for evidence once and nothing else."""
        peer.paused = True
        self.refused(peer, sent)
        peer.ask_for_evidence()

    def on_evidence(self, peer: Peer, data: wire.Data) -> None:
        """A signed head sent as proof that two exist for one length (request id 0)."""
        if data.upgrade is None or data.upgrade.start != 0 or data.fork != self.log.local.fork:
            return
        conflict = evidence_of_conflict(self.log, data)
        if conflict is None:
            return
        self.log.frozen = conflict
        self.on_conflict(conflict, b"".join(wire.encode_data(0, data.fork, data)))
        for other in list(self.peers):
            other.port.close()
        self._fail_all(conflict)

    def refused(self, peer: Peer, sent: Sent) -> None:
        """A request came to nothing: give its work to somebody else."""
        peer.promise_broken()
        if self._upgrade is sent:
            self._upgrade = None
            self._check_upgrade_waiters()
        if sent.seek is not None:
            sent.seek.in_flight -= 1
        if sent.reorg:
            self.reorgs.refused(peer, sent)
        wanted = self._wanted.get(sent.block)
        if wanted is not None:
            wanted.in_flight -= 1
            self._again(wanted)
        self.pump_soon()

    def _again(self, wanted: WantedBlock) -> None:
        if wanted.in_flight <= 0:
            wanted.in_flight = 0
            if wanted.waiters or self.ranges.covers(wanted.index):
                self._enqueue(wanted)
            else:
                self._wanted.pop(wanted.index, None)

    def _advance_seeks(self) -> None:
        """Resolve seeks that the local tree can now answer."""
        for seek in list(self._seeks):
            try:
                found = local_seek(self.log.local, seek.position, seek.padding)
            except SeekError as error:
                if not self._may_grow():
                    self._seeks.remove(seek)
                    seek.done(None, error)
                continue
            if found is not None:
                self._seeks.remove(seek)
                seek.done(found, None)

    def _may_grow(self) -> bool:
        """Whether a longer version may still come from the peers we have (or from the first one)."""
        state = self.log.local
        if self.log.writable:
            return False
        return state.length == 0 or any(
            not peer.remote_synced or peer.useful and peer.remote_length > state.length
            for peer in self.peers
        )

    # -- heads ----------------------------------------------------------------------------------

    def _check_upgrade_waiters(self) -> None:
        """Tell those who wait for a longer log once it is clear that no peer has one."""
        if not self._upgrade_waiters or self._upgrade is not None or self.reorgs.active:
            return
        state = self.log.local
        for peer in self.peers:
            if not peer.remote_synced:
                return
            longer = peer.remote_length > state.length and peer.remote_fork == state.fork
            if peer.useful and (
                longer and peer.remote_can_upgrade or peer.remote_fork > state.fork
            ):
                return
        waiters, self._upgrade_waiters = self._upgrade_waiters, []
        for done in waiters:
            done(False)

    def _head_changed(self) -> None:
        for peer in self.peers:
            peer.signal_upgrade()
        waiters, self._upgrade_waiters = self._upgrade_waiters, []
        for done in waiters:
            done(True)
        self.ranges.head_changed()
        if self._seeks:
            self._advance_seeks()
        if self._stuck:
            stuck, self._stuck = self._stuck, []
            for wanted in stuck:
                self._enqueue(wanted)
        self._resolve_local()
        self.pump_soon()

    def _resolve_local(self) -> None:
        """Blocks that somebody waits for and that the writer itself has just made."""
        if not self.log.writable:
            return
        for wanted in list(self._wanted.values()):
            if wanted.waiters and self.log.has(wanted.index):
                value = self.log.block(wanted.index)
                if value is not None:
                    self._deliver(wanted.index, value)

    def _have_changed(self, start: int, count: int, dropped: bool) -> None:
        haves = self._haves
        if haves and not dropped:
            last = haves[-1]
            if not last[2] and last[0] + last[1] == start:
                haves[-1] = (last[0], last[1] + count, False)
                return
        haves.append((start, count, dropped))
        self.pump_soon()

    def _tell_haves(self) -> None:
        if self._haves:
            haves, self._haves = self._haves, []
            for peer in self.peers:
                for start, count, dropped in haves:
                    peer.tell_have(start, count, dropped)

    def flush(self) -> None:
        """Hand received blocks to the backend."""
        try:
            self.log.flush()
        except DiskFullError as error:
            self._halt(error)

    # -- trouble --------------------------------------------------------------------------------

    def _halt(self, error: Exception) -> None:
        """The disk refuses: stop fetching, fail whoever waits, keep serving."""
        self._halted = True
        self._fail_all(error)
        self.on_failure(error)

    def resume(self) -> None:
        """Fetch again after `on_failure`."""
        self._halted = False
        self.pump_soon()

    def _fail_all(self, error: Exception) -> None:
        wanted, self._wanted = self._wanted, {}
        self._queue.clear()
        self._stuck.clear()
        for block in wanted.values():
            for done in block.waiters:
                done(None, error)
        seeks, self._seeks = self._seeks, []
        for seek in seeks:
            seek.done(None, error)
        for range in self.ranges.drain():
            range.done(error)
        waiters, self._upgrade_waiters = self._upgrade_waiters, []
        for upgraded in waiters:
            upgraded(False)

    def found_damage(self) -> None:
        """Blocks that failed their check on disk are fetched again where somebody has them."""
        if self.log.writable:
            return
        for index in list(self.log.damaged_blocks):
            self.log.forget(index)

    def removed(self, peer: Peer) -> None:
        """A peer is gone: its work goes to others."""
        if peer in self.peers:
            self.peers.remove(peer)
        lost, peer.in_flight = list(peer.in_flight.values()), {}
        self.ranges.peer_gone(peer)
        for sent in lost:
            self.refused(peer, sent)
        self._check_upgrade_waiters()

    def unavailable(self) -> BlockNotAvailable:
        """The error for a reader who does not want to wait longer."""
        if not self.peers:
            return BlockNotAvailable("Nobody who has this data is connected.")
        return BlockNotAvailable("None of the connected peers has this data.")

    def deadline(self) -> float | None:
        """When `on_deadline` wants to be called: the oldest request's silence runs out."""
        due = None
        for peer in self.peers:
            if peer.in_flight:
                at = max(peer.last_heard, next(iter(peer.in_flight.values())).at) + SILENCE
                due = at if due is None or at < due else due
        return due

    def on_deadline(self, now: float) -> None:
        """Take the requests of silent peers back."""
        for peer in list(self.peers):
            if not peer.in_flight:
                continue
            oldest = next(iter(peer.in_flight.values()))
            if max(peer.last_heard, oldest.at) + SILENCE > now:
                continue
            peer.silent = True
            for sent in list(peer.in_flight.values()):
                peer.give_up(sent)
                self.refused(peer, sent)

    def fail(self, error: Exception) -> None:
        """The log is closing: nobody waits any longer."""
        self._fail_all(error)


__all__ = ["Replicator"]
