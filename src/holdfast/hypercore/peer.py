"""One peer of one log: the channel's life, who stands where, and which message goes to whom.

Follows the behaviour of the ``hypercore/alpha`` channel of the JavaScript Hypercore 11 (wire notes
4.6): sync messages double as acknowledgements, a server answers in any order and only while the
line drains, and a proof that does not verify ends the conversation, not the program.

The parts: `Remote` (its head), `Claims` (its blocks), `Telling` (ours), `Serving` (its requests),
`Asking` (ours).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.errors import RemoteError
from holdfast.hypercore import messages as wire
from holdfast.hypercore.asking import Asking
from holdfast.hypercore.caps import capability, proves
from holdfast.hypercore.claims import Claims
from holdfast.hypercore.late import Late
from holdfast.hypercore.message_table import decode
from holdfast.hypercore.port import ChannelPort, say
from holdfast.hypercore.remote import Remote
from holdfast.hypercore.serving import Serving
from holdfast.hypercore.telling import Telling
from holdfast.hypercore.tree_view import upgradeable

if TYPE_CHECKING:
    from holdfast.hypercore.replicator import Replicator
    from holdfast.hypercore.requests import Sent


class Peer:
    """State of one channel. Handlers raise `RemoteError` to end the connection."""

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
        """``uploading``: see `Peer.uploading`."""
        self.log = replicator.log
        self.port = port
        self.remote_public_key = remote_public_key
        self.start: Callable[[], None] = _nothing
        """Opens the channel; set by whoever made it."""
        self.opened = False
        self.closed = False
        self.can_upgrade = True
        """Whether we can prove our length to it, from the length it has."""
        self.blocks_received = 0

        self.remote = Remote()
        self.claims = Claims(port)
        self.telling = Telling(self.log, port, self.remote, self.claims, quiet=not uploading)
        self.serving = Serving(
            self.log, port, replicator.checked, replicator.found_damage, uploading=uploading
        )
        self.asking = Asking(
            self.log, port, self.remote, clock=replicator.clock, next_id=replicator.next_id
        )
        self._late = Late(self._take)
        self._replicator = replicator
        self._initiator = initiator
        self._handshake_hash = handshake_hash
        self._last_sync: wire.Sync | None = None
        self._extension_sent = ""
        self._extension_received = ""
        self._handlers: list[Callable[[Any], None]] = [
            self._on_sync,
            self.serving.on_request,
            self.serving.on_cancel,
            self._on_data,
            self._on_no_data,
            self.telling.on_want,
            self.telling.on_unwant,
            self._on_bitfield,
            self._on_range,
            self._on_extension,
        ]

    # -- facts ----------------------------------------------------------------------------------

    @property
    def remote_length(self) -> int:
        """Blocks the peer says its log has."""
        return self.remote.length

    @property
    def remote_contiguous(self) -> int:
        """Blocks the peer says it holds from the beginning without a gap."""
        return self.claims.contiguous

    @property
    def blocks_sent(self) -> int:
        """Blocks we have given it over this channel."""
        return self.serving.blocks_sent

    @property
    def uploading(self) -> bool:
        """Whether the peer gets blocks from us, or only the signed head and hashes of the tree.

        Heads go to everybody we exchange a log with: a writer that was restored from a backup must
        learn that it is behind. On the wire we call that uploading too, because JavaScript takes
        not even a head from who does not upload, and would wait for it.
        """
        return self.serving.uploading

    @property
    def useful(self) -> bool:
        """Whether asking this peer makes sense now."""
        return self.opened and not self.closed and self.asking.willing and self.log.frozen is None

    @property
    def limit(self) -> int:
        """The longest length that this peer or we ourselves stand up for."""
        return max(self.remote.length, self.log.local.length)

    # -- life -----------------------------------------------------------------------------------

    def handshake(self) -> bytes:
        """Our half of the channel handshake."""
        proof = capability(self._initiator, self.log.key, self._handshake_hash)
        return wire.encode_handshake(wire.Handshake(True, proof))

    def accepts(self, handshake: bytes | memoryview) -> bool:
        """Whether the other side proved that it knows the log's key."""
        return proves(handshake, not self._initiator, self.log.key, self._handshake_hash)

    def open(self, handshake: bytes | memoryview) -> None:
        """The channel is open on both sides. Raises `RemoteError` on a wrong capability."""
        if not self.accepts(handshake):
            raise RemoteError("The peer does not know the key of the log it asked for.")
        if self.opened:
            return
        self.opened = True
        self.send_sync()
        self.telling.begin()
        self._replicator.added(self)

    def start_uploading(self) -> None:
        """Give blocks from now on, first what the peer waits for. To stop, end the channel."""
        if not self.uploading:
            self.serving.uploading = True
            self.telling.speak()

    def close(self) -> None:
        """The channel or the connection is gone."""
        if not self.closed:
            self.settle()
            self.closed = True
            self.serving.close()
            self._replicator.removed(self)

    def receive(self, number: int, body: memoryview) -> None:
        """One message of the channel. Raises `RemoteError` to end the connection."""
        if not self.closed:
            message = decode(number, body)
            if number != wire.DATA:
                self.settle()
            self._handlers[number](message)

    # -- where each side stands -----------------------------------------------------------------

    def send_sync(self) -> None:
        """Tell the peer where we stand, if that differs from what it was told last.

        We always say that we upload and download: an idle channel costs little and JavaScript
        closes one only when both sides have stopped downloading.
        """
        shared, remote = self.log.shared, self.remote
        sync = wire.Sync(
            shared.fork,
            shared.length,
            remote.length if shared.fork == remote.fork else 0,
            self.can_upgrade,
            True,
            True,
            self.log.manifest is not None and not self.log.verifier.compat,
            False,
        )
        if sync != self._last_sync and self.opened and not self.closed:
            self._last_sync = sync
            say(self.port, sync)

    def signal_upgrade(self) -> None:
        """Our shared head moved."""
        self._update_can_upgrade()
        self.send_sync()

    def _update_can_upgrade(self) -> None:
        shared, remote = self.log.shared, self.remote
        if shared.fork != remote.fork:
            self.can_upgrade = remote.length == 0
        elif remote.length == 0:
            self.can_upgrade = True
        else:
            longer = remote.length < shared.length
            self.can_upgrade = longer and upgradeable(shared, remote.length)

    def _on_sync(self, sync: wire.Sync) -> None:
        shared = self.log.shared
        self.remote.take(sync, shared.fork)
        self._update_can_upgrade()
        if shared.fork == sync.fork and shared.length > sync.length:
            self.send_sync()
        self._replicator.on_remote_head(self)
        self._replicator.changed(self)

    # -- what the peer holds --------------------------------------------------------------------

    def _on_range(self, message: wire.Range) -> None:
        self.claims.take_range(message, self.limit)
        self.telling.heard()
        if not message.drop:
            self.asking.refusals = 0
            self._replicator.changed(self)

    def _on_bitfield(self, message: wire.BitfieldMessage) -> None:
        self.claims.take_bitfield(message, self.limit)
        self.telling.heard()
        self._replicator.changed(self)

    def forget_claims_from(self, length: int) -> None:
        """The log was reorganised; keeps what the peer said if it is on that fork already."""
        if self.remote.fork != self.log.local.fork:
            self.claims.forget_from(length, self.limit)

    # -- its answers ----------------------------------------------------------------------------

    def _on_data(self, data: wire.Data) -> None:
        if data.request == 0:
            self._replicator.answers.on_evidence(self, data)
            return
        sent = self.asking.answered(data.request)
        if self.asking.silent:
            self._speaks_again()
        if sent is not None:
            self._late.add(sent, data)
            if not self._late.empty:
                self._replicator.pump_soon()

    def _take(self, sent: Sent, data: wire.Data, digest: bytes | None) -> None:
        self._replicator.answers.on_data(self, sent, data, digest)

    def settle(self) -> None:
        """Take the answers that wait for their blocks to be hashed (see `Late`)."""
        if not self._late.empty:
            self._late.settle()

    def _on_no_data(self, answer: wire.NoData) -> None:
        sent = self.asking.answered(answer.request)
        if self.asking.silent:
            self._speaks_again()
        if sent is None:
            return
        self.asking.refusals += 1
        if sent.block >= 0 and sent.fork == self.remote.fork:
            self.claims.lost(sent.block, self.limit)
        self._replicator.refused(self, sent)

    def _speaks_again(self) -> None:
        self.asking.silent = False
        self._replicator.changed(self)

    # -- extensions -----------------------------------------------------------------------------

    def send_extension(self, name: str, message: bytes) -> None:
        """Send to the extension of that name on the other side; nothing on a closed channel."""
        if self.opened and not self.closed:
            short = "" if name == self._extension_sent else name
            self._extension_sent = name
            say(self.port, wire.Extension(short, message))

    def _on_extension(self, message: wire.Extension) -> None:
        name = message.name or self._extension_received
        self._extension_received = name
        handler = self._replicator.extensions.get(name)
        if handler is not None:
            handler(bytes(message.message), self)


def _nothing() -> None:
    """Stand-in until a channel is set."""
