"""Answering the requests of one peer, as fast as its line drains."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from holdfast.errors import DamagedError, RemoteError
from holdfast.hypercore import messages as wire
from holdfast.hypercore.log import Log
from holdfast.hypercore.manifest import encode_manifest
from holdfast.hypercore.message_data import encode_block_data, encode_data
from holdfast.hypercore.port import ChannelPort, say
from holdfast.hypercore.proof_create import block_proof, create_proof
from holdfast.hypercore.recently_checked import RecentlyChecked
from holdfast.hypercore.tree_view import InvalidRequest, MissingNode

MAX_QUEUED_REQUESTS = 4096
"""Requests kept for a peer whose line is full; one that sends more is not reading its answers."""

MAX_INVALID_REQUESTS = 64
"""Requests that make no sense before the peer is dropped (the JavaScript limit)."""


class Serving:
    """The requests of one peer. Every request is answered, refused or cancelled; order is free."""

    def __init__(
        self,
        log: Log,
        port: ChannelPort,
        checked: RecentlyChecked,
        on_damage: Callable[[], None],
        *,
        uploading: bool = True,
    ) -> None:
        """``on_damage()`` is called when a block that was asked for turns out damaged on disk."""
        self.uploading = uploading
        """Whether blocks are given; heads and hashes are in any case (see `Peer.uploading`)."""
        self.blocks_sent = 0
        self._log = log
        self._port = port
        self._checked = checked
        self._on_damage = on_damage
        self._queue: OrderedDict[int, wire.Request] = OrderedDict()
        self._invalid = 0

    def on_request(self, request: wire.Request) -> None:
        """Answer now, or once the line has room; urgent requests first.

        Raises `RemoteError` for a peer that floods us or keeps asking what makes no sense.
        """
        queue = self._queue
        if not queue and self._port.drained:
            self._serve(request)
            return
        if len(queue) >= MAX_QUEUED_REQUESTS:
            raise RemoteError("The peer sends requests faster than it reads the answers.")
        queue[request.id] = request
        if request.priority:
            queue.move_to_end(request.id, last=False)

    def on_cancel(self, id: int) -> None:
        """The peer needs that answer no more."""
        self._queue.pop(id, None)

    def on_drain(self) -> None:
        """The line has room again."""
        while self._queue and self._port.drained:
            self._serve(self._queue.popitem(last=False)[1])

    def close(self) -> None:
        """Nobody waits for answers any more."""
        self._queue.clear()

    def _serve(self, request: wire.Request) -> None:
        try:
            answer = self._answer(request)
        except MissingNode:  # before its parent: not the peer's fault
            answer = None
        except InvalidRequest:
            self._invalid += 1
            if self._invalid > MAX_INVALID_REQUESTS:
                raise
            say(self._port, wire.NoData(request.id, wire.INVALID_REQUEST))
            return
        except DamagedError:
            self._on_damage()
            answer = None
        if answer is None:
            say(self._port, wire.NoData(request.id, wire.NOT_AVAILABLE))
        else:
            self._port.send(wire.DATA, answer)

    def _answer(self, request: wire.Request) -> list[bytes | memoryview] | None:
        """The parts of a data message; None when what is asked for is not here."""
        log = self._log
        view = log.shared
        if request.fork != view.fork or log.frozen is not None:
            return None
        wanted = request.block
        if wanted is not None and not self.uploading:
            return None
        value = None
        if wanted is not None:
            value = self._block(wanted.index) if wanted.index < view.length else None
            if value is None:
                return None
            if _only_a_block(request):
                nodes = block_proof(view, wanted.index, wanted.nodes)
                self.blocks_sent += 1
                return encode_block_data(request.id, view.fork, wanted.index, value, nodes)
        manifest = log.manifest
        proof = create_proof(
            view,
            block=wanted,
            hash=request.hash,
            seek=request.seek,
            upgrade=request.upgrade,
            prologue=manifest.prologue if manifest is not None else None,
        )
        if value is not None:
            self.blocks_sent += 1
        encoded = None
        if request.manifest and manifest is not None and not log.verifier.compat:
            encoded = encode_manifest(manifest)
        return encode_data(request.id, view.fork, proof, value, encoded)

    def _block(self, index: int) -> bytes | None:
        if self._checked.covers(index):
            return self._log.block(index, check=False)
        value = self._log.block(index)
        if value is not None:
            self._checked.note(index, 1, True)
        return value


def _only_a_block(request: wire.Request) -> bool:
    """Whether this is what nearly all requests are: one block and nothing else."""
    return (
        request.upgrade is None
        and request.hash is None
        and request.seek is None
        and not request.manifest
    )
