"""One peer of one log: what it told us, what it asks of us, what we asked of it.

Follows the behaviour of the ``hypercore/alpha`` channel of the JavaScript Hypercore 11 (wire notes
4.6): sync messages double as acknowledgements, a server answers in any order and only while the
line drains, and a proof that does not verify ends the conversation, not the program.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.crypto import blake2b, equal, namespace
from holdfast.encoding.bitfield import Bitfield
from holdfast.errors import DamagedError, DecodeError, RemoteError
from holdfast.hypercore import messages as wire
from holdfast.hypercore.manifest import encode_manifest
from holdfast.hypercore.message_data import encode_block_data, encode_data
from holdfast.hypercore.message_table import decode, encode, number_of
from holdfast.hypercore.promised import PromisedNodes
from holdfast.hypercore.proof_create import block_proof, create_proof
from holdfast.hypercore.requests import RequestWindow, Sent, WantedSeek
from holdfast.hypercore.tree_view import (
    InvalidRequest,
    MissingNode,
    upgradeable,
)

if TYPE_CHECKING:
    from holdfast.hypercore.replicator import Replicator

WANT_BATCH = 1 << 21
"""Blocks covered by one ``want``: the size every JavaScript version understands."""

MAX_QUEUED_REQUESTS = 4096
"""Requests kept for a peer whose line is full; one that sends more is not reading its answers."""

MAX_INVALID_REQUESTS = 64
"""Requests that make no sense before the peer is dropped (the JavaScript limit)."""

MAX_NO_DATA = 32
"""Refusals after which we stop asking a peer until it says something new (the JavaScript limit)."""

BITFIELD_PAGE_BITS = 32768
MAX_BITFIELD_BYTES = WANT_BATCH // 8
"""A bitfield message covers at most one want."""

MAX_CLAIM_PAGES = 1024
"""4 KiB pages of what a peer claims to hold: room for 32 million scattered blocks."""

REPLICATE_INITIATOR, REPLICATE_RESPONDER = namespace("hypercore", [1, 2])


class ChannelPort(Protocol):
    """The little that a peer needs of its protomux channel."""

    @property
    def send(self) -> Callable[[int, list[bytes | memoryview]], object]: ...
    @property
    def close(self) -> Callable[[], object]: ...
    @property
    def drained(self) -> bool: ...


def capability(initiator: bool, key: bytes, handshake_hash: bytes) -> bytes:
    """Proof, bound to one connection, that its sender knows the log's key."""
    role = REPLICATE_INITIATOR if initiator else REPLICATE_RESPONDER
    return blake2b(role + key, key=handshake_hash)


class Peer:
    """State and message handlers of one channel. Handlers raise `RemoteError` to end the connection."""

    def __init__(
        self,
        replicator: Replicator,
        port: ChannelPort,
        *,
        initiator: bool,
        handshake_hash: bytes,
        remote_public_key: bytes,
        uploading: bool = True,
    ) -> None:
        self.replicator = replicator
        self.log = replicator.log
        self.port = port
        self.initiator = initiator
        self.handshake_hash = handshake_hash
        self.remote_public_key = remote_public_key
        self.uploading = uploading

        self.start: Callable[[], None] = _nothing
        """Opens the channel; set by whoever made it."""
        self.opened = False
        self.closed = False
        self.paused = False
        """True once it sent something that does not verify: nothing more is asked of it."""

        self.remote_fork = 0
        self.remote_length = 0
        self.remote_can_upgrade = False
        self.remote_uploading = True
        self.remote_downloading = True
        self.remote_has_manifest = False
        self.remote_synced = False
        self.length_acked = -1
        """Our length as the peer last repeated it; it can only upgrade us from there."""
        self.remote_contiguous = 0
        self.remote_bits = Bitfield(max_pages=MAX_CLAIM_PAGES)
        self.wants: set[int] = set()

        self.can_upgrade = True
        self._last_sync: wire.Sync | None = None
        self._requests: OrderedDict[int, wire.Request] = OrderedDict()
        self._invalid_requests = 0
        self.no_data = 0

        self.window = RequestWindow()
        self.optimistic = True
        """Ask for proofs that build on answers still under way (see `PromisedNodes`)."""
        self._promised = PromisedNodes()
        self.in_flight: dict[int, Sent] = {}
        self.last_heard = replicator.clock()
        self.silent = False
        """It owed us an answer for too long: others are asked first until it speaks again."""
        self.last_extension_sent = ""
        self.last_extension_received = ""
        self.blocks_received = 0
        self.blocks_sent = 0
        self._handlers: list[Callable[[Any], None]] = [
            self._on_sync,
            self._on_request,
            self._on_cancel,
            self._on_data,
            self._on_no_data,
            self._on_want,
            self._on_unwant,
            self._on_bitfield,
            self._on_range,
            self._on_extension,
        ]

    # -- life -----------------------------------------------------------------------------------

    def handshake(self) -> bytes:
        """Our half of the channel handshake."""
        own = capability(self.initiator, self.log.key, self.handshake_hash)
        return wire.encode_handshake(wire.Handshake(True, own))

    def accepts(self, handshake: bytes | memoryview) -> bool:
        """Whether the other side proved that it knows the log's key."""
        try:
            remote = wire.decode_handshake(handshake)
        except DecodeError:
            return False
        return equal(
            remote.capability, capability(not self.initiator, self.log.key, self.handshake_hash)
        )

    def open(self, handshake: bytes | memoryview) -> None:
        """The channel is open on both sides. Raises `RemoteError` on a wrong capability."""
        if not self.accepts(handshake):
            raise RemoteError("The peer does not know the key of the log it asked for.")
        if self.opened:
            return
        self.opened = True
        self.replicator.peers.append(self)
        self.send_sync()
        contiguous = min(self.log.contiguous_length, self.log.shared.length)
        if contiguous and self.uploading:
            self._send(wire.Range(False, 0, contiguous))
        self.replicator.changed(self)

    def close(self) -> None:
        """The channel or the connection is gone."""
        if not self.closed:
            self.closed = True
            self._requests.clear()
            self.replicator.removed(self)

    def _send(self, message: object) -> None:
        number = number_of(message)
        self.port.send(number, [encode(number, message)])

    def receive(self, number: int, body: memoryview) -> None:
        """One message of the channel. Raises `RemoteError` when the connection is not worth keeping."""
        if not self.closed:
            message = decode(number, body)
            self._handlers[number](message)

    # -- sync -----------------------------------------------------------------------------------

    def send_sync(self) -> None:
        """Tell the peer where we stand, if that differs from what it was told last."""
        shared = self.log.shared
        same_fork = shared.fork == self.remote_fork
        sync = wire.Sync(
            shared.fork,
            shared.length,
            self.remote_length if same_fork else 0,
            self.can_upgrade and self.uploading,
            self.uploading,
            self.replicator.downloading,
            self.log.manifest is not None and not self.log.verifier.compat,
            False,
        )
        if sync != self._last_sync and self.opened and not self.closed:
            self._last_sync = sync
            self._send(sync)

    def signal_upgrade(self) -> None:
        """Our shared head moved."""
        self._update_can_upgrade()
        self.send_sync()

    def _update_can_upgrade(self) -> None:
        shared = self.log.shared
        if shared.fork != self.remote_fork:
            self.can_upgrade = self.remote_length == 0
        elif self.remote_length == 0:
            self.can_upgrade = True
        elif self.remote_length >= shared.length:
            self.can_upgrade = False
        else:
            self.can_upgrade = upgradeable(shared, self.remote_length)

    def _on_sync(self, sync: wire.Sync) -> None:
        shared = self.log.shared
        self.remote_synced = True
        self.remote_fork = sync.fork
        self.remote_length = sync.length
        self.remote_can_upgrade = sync.can_upgrade
        self.remote_uploading = sync.uploading
        self.remote_downloading = sync.downloading
        self.remote_has_manifest = sync.has_manifest
        self.length_acked = sync.remote_length if sync.fork == shared.fork else 0
        if not self.remote_downloading and not self.replicator.downloading:
            self.port.close()
            return
        self._update_can_upgrade()
        if shared.fork == sync.fork and shared.length > sync.length:
            self.send_sync()
        self.replicator.on_remote_head(self)
        self.replicator.changed(self)

    # -- what the peer holds --------------------------------------------------------------------

    def remote_has(self, index: int) -> bool:
        """Whether the peer said that it holds a block."""
        return index < self.remote_contiguous or self.remote_bits.get(index)

    def next_held(self, index: int) -> int:
        """First block at or after ``index`` that the peer holds, or -1."""
        return index if index < self.remote_contiguous else self.remote_bits.first_set(index)

    def ask_what_it_holds(self, index: int) -> None:
        """Ask for the bitfield around a block, once."""
        batch = index // WANT_BATCH
        if index >= self.remote_contiguous and batch not in self.wants:
            self.wants.add(batch)
            self._send(wire.Want(batch * WANT_BATCH, WANT_BATCH))

    def _on_range(self, message: wire.Range) -> None:
        drop, start, length = message
        if drop:
            if start < self.remote_contiguous:
                self._spell_out(start)
            length = min(length, max(self.remote_length - start, 0))
            self.remote_bits.set_range(start, length, False)
            return
        if start <= self.remote_contiguous:
            self.remote_contiguous = max(self.remote_contiguous, start + length)
        else:
            self._check_claim(start + length)
            self.remote_bits.set_range(start, length, True)
        self.no_data = 0
        self.replicator.changed(self)

    def _on_bitfield(self, message: wire.BitfieldMessage) -> None:
        start, words = message
        if len(words) > MAX_BITFIELD_BYTES or start % 8:
            raise DecodeError("A bitfield message is too long or not aligned.")
        self._check_claim(start + 8 * len(words))
        if start < self.remote_contiguous:
            self._spell_out(start)
        self.remote_bits.set_bytes(start, words)
        self.replicator.changed(self)

    def _check_claim(self, end: int) -> None:
        """Memory for claims stays in proportion to a length the peer has stood up for."""
        if end > max(self.remote_length, self.log.local.length) + WANT_BATCH * 2:
            raise DecodeError("The peer claims blocks far beyond its own length.")

    def _on_want(self, want: wire.Want) -> None:
        shared = self.log.shared
        if not self.uploading:
            return
        contiguous = min(self.log.contiguous_length, shared.length)
        covered = want.start + want.length < contiguous or contiguous == shared.length
        if covered or (want.any and want.start < contiguous):
            self._send(wire.Range(False, 0, contiguous))
            return
        end = min(want.start + min(want.length, WANT_BATCH), shared.length)
        start = want.start - want.start % BITFIELD_PAGE_BITS
        while start < end:
            if self.log.bitfield.count(start, start + BITFIELD_PAGE_BITS):
                page = self.log.bitfield.page(start // BITFIELD_PAGE_BITS)
                self._send(wire.BitfieldMessage(start, page))
            start += BITFIELD_PAGE_BITS

    def _on_unwant(self, unwant: wire.Want) -> None:
        """Nothing to do: wants cost us no memory."""

    def tell_have(self, start: int, count: int, dropped: bool) -> None:
        """Blocks came or went on our side."""
        if not self.opened or not self.uploading or not self.remote_downloading and not dropped:
            return
        shared = self.log.shared
        if not dropped:
            if self.log.contiguous_length >= shared.length:
                start, count = 0, shared.length
            if start + count <= self.remote_contiguous or not count:
                return
        self._send(wire.Range(dropped, start, count))

    # -- serving --------------------------------------------------------------------------------

    def _on_request(self, request: wire.Request) -> None:
        if self._requests or not self.port.drained:
            if len(self._requests) >= MAX_QUEUED_REQUESTS:
                raise RemoteError("The peer sends requests faster than it reads the answers.")
            self._requests[request.id] = request
            if request.priority:
                self._requests.move_to_end(request.id, last=False)
            return
        self._serve(request)

    def _on_cancel(self, id: int) -> None:
        self._requests.pop(id, None)

    def on_drain(self) -> None:
        """The line has room again."""
        while self._requests and self.port.drained and not self.closed:
            self._serve(self._requests.popitem(last=False)[1])

    def _serve(self, request: wire.Request) -> None:
        log = self.log
        view = log.shared
        if request.fork != view.fork or not self.uploading or log.frozen is not None:
            self._refuse(request, wire.NOT_AVAILABLE)
            return
        value = None
        try:
            if request.block is not None:
                index = request.block.index
                value = log.block(index) if index < view.length else None
                if value is None:
                    self._refuse(request, wire.NOT_AVAILABLE)
                    return
                if request.upgrade is request.seek is request.hash is None and not request.manifest:
                    nodes = block_proof(view, index, request.block.nodes)
                    self.blocks_sent += 1
                    self.port.send(
                        wire.DATA, encode_block_data(request.id, view.fork, index, value, nodes)
                    )
                    return
            proof = create_proof(
                view,
                block=request.block,
                hash=request.hash,
                seek=request.seek,
                upgrade=request.upgrade,
                prologue=log.manifest.prologue if log.manifest is not None else None,
            )
        except MissingNode:
            self._refuse(request, wire.NOT_AVAILABLE)
            return
        except InvalidRequest:
            self._invalid_requests += 1
            if self._invalid_requests > MAX_INVALID_REQUESTS:
                raise
            self._refuse(request, wire.INVALID_REQUEST)
            return
        except DamagedError:
            self.replicator.found_damage()
            self._refuse(request, wire.NOT_AVAILABLE)
            return
        manifest = None
        if request.manifest and log.manifest is not None and not log.verifier.compat:
            manifest = encode_manifest(log.manifest)
        if value is not None:
            self.blocks_sent += 1
        self.port.send(wire.DATA, encode_data(request.id, view.fork, proof, value, manifest))

    def _refuse(self, request: wire.Request, reason: int) -> None:
        self._send(wire.NoData(request.id, reason))

    # -- asking ---------------------------------------------------------------------------------

    def ask(
        self,
        *,
        block: int = -1,
        upgrade: tuple[int, int] | None = None,
        seek: WantedSeek | None = None,
        hash: wire.RequestHash | None = None,
        reorg: bool = False,
        priority: int = 0,
    ) -> Sent:
        """Send one request; the caller has checked that it makes sense now."""
        replicator, log = self.replicator, self.log
        now = replicator.clock()
        sent = Sent(replicator.next_id(), self, self.remote_fork, now)
        sent.block, sent.seek, sent.upgrade, sent.reorg = block, seek, upgrade, reorg
        wanted_block = None
        if block >= 0:
            nodes, sent.optimistic = self._promised.levels(
                2 * block, 2 * log.local.length, log.node, self.optimistic
            )
            wanted_block = wire.RequestBlock(block, nodes)
            sent.size = replicator.average_size
        if hash is not None:
            sent.hash = hash.index
        manifest = log.manifest is None and self.remote_has_manifest
        if wanted_block and upgrade is seek is hash is None and not manifest:
            body = wire.encode_block_request(
                sent.id, sent.fork, block, wanted_block.nodes, priority
            )
        else:
            body = wire.encode_request(
                wire.Request(
                    sent.id,
                    sent.fork,
                    wanted_block,
                    hash,
                    wire.RequestSeek(seek.position, seek.padding) if seek else None,
                    wire.RequestUpgrade(*upgrade) if upgrade else None,
                    manifest,
                    priority,
                )
            )
        self.in_flight[sent.id] = sent
        self.window.sent(sent.size, now)
        self.port.send(wire.REQUEST, [body])
        return sent

    def ask_for_evidence(self) -> None:
        """Request id 0: the peer's signed head, to see whether two heads exist for one length."""
        length = min(self.log.local.length, self.remote_length)
        if length:
            upgrade = wire.RequestUpgrade(0, length)
            self._send(wire.Request(0, self.remote_fork, upgrade=upgrade))

    def promise_broken(self) -> None:
        """An answer that others build on will not come."""
        self._promised.clear()

    def give_up(self, sent: Sent) -> None:
        """Cancel a request on the wire and forget it."""
        self._promised.clear()
        if self.in_flight.pop(sent.id, None) is not None:
            self.window.answered(sent.size, self.replicator.clock())
            if not self.closed:
                self.port.send(wire.CANCEL, [wire.encode_cancel(sent.id)])

    def _answered(self, id: int) -> Sent | None:
        sent = self.in_flight.pop(id, None)
        now = self.replicator.clock()
        self.last_heard = now
        self.silent = False
        if sent is not None:
            self.window.answered(sent.size, now)
            if not self.in_flight:
                self._promised.clear()
        return sent

    def _on_data(self, data: wire.Data) -> None:
        if data.request == 0:
            self.replicator.on_evidence(self, data)
            return
        sent = self._answered(data.request)
        if sent is not None:
            self.replicator.on_data(self, sent, data)

    def _on_no_data(self, answer: wire.NoData) -> None:
        sent = self._answered(answer.request)
        if sent is None:
            return
        self.no_data += 1
        self._promised.clear()
        if sent.block >= 0 and sent.fork == self.remote_fork:
            self.remote_lost(sent.block)
        self.replicator.refused(self, sent)

    def remote_lost(self, index: int) -> None:
        """The peer turned out not to hold a block it claimed."""
        if index < self.remote_contiguous:
            self._spell_out(index)
        self.remote_bits.set_range(index, 1, False)
        batch = index // WANT_BATCH
        if batch in self.wants:  # ask anew when it matters: the answer we have is out of date
            self.wants.discard(batch)
            unwant = wire.encode_want(wire.Want(batch * WANT_BATCH, WANT_BATCH))
            self.port.send(wire.UNWANT, [unwant])

    def _spell_out(self, start: int) -> None:
        """Turn "holds everything below n" into bits from ``start`` on (never beyond a length that exists)."""
        end = min(self.remote_contiguous, max(self.remote_length, self.log.local.length))
        if end > start:
            self.remote_bits.set_range(start, end - start, True)
        self.remote_contiguous = start

    def forget_claims_from(self, length: int) -> None:
        """The log was reorganised: what the peer said about blocks of the old fork may not hold."""
        if self.remote_fork != self.log.local.fork:
            if self.remote_contiguous > length:
                self._spell_out(length)
            end = max(self.remote_length, length)
            self.remote_bits.set_range(length, end - length, False)

    @property
    def useful(self) -> bool:
        """Whether asking this peer makes sense now."""
        return (
            self.opened
            and not self.closed
            and not self.paused
            and self.remote_uploading
            and self.no_data < MAX_NO_DATA
            and self.log.frozen is None
        )

    # -- extensions -----------------------------------------------------------------------------

    def send_extension(self, name: str, message: bytes) -> None:
        """Send to the extension of that name on the other side."""
        short = "" if name == self.last_extension_sent else name
        self.last_extension_sent = name
        self._send(wire.Extension(short, message))

    def _on_extension(self, message: wire.Extension) -> None:
        name = message.name or self.last_extension_received
        self.last_extension_received = name
        handler = self.replicator.extensions.get(name)
        if handler is not None:
            handler(bytes(message.message), self)


def _nothing() -> None:
    """Stand-in until a channel is set."""
