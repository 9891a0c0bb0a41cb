"""What we asked of one peer: requests in flight, how many more may leave, whether it answers."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.hypercore import messages as wire
from holdfast.hypercore.log import Log
from holdfast.hypercore.port import ChannelPort, say
from holdfast.hypercore.promised import PromisedNodes
from holdfast.hypercore.remote import Remote
from holdfast.hypercore.requests import Sent, WantedSeek
from holdfast.hypercore.state import TreeState
from holdfast.hypercore.window import RequestWindow

SILENCE = 15.0
"""Seconds without any answer after which a peer's requests are given to others."""

MAX_REFUSALS = 32
"""Refusals after which we stop asking a peer until it says something new (the JavaScript limit)."""


class Asking:
    """Our requests to one peer. Each ends exactly once: `answered` or `give_up`."""

    def __init__(
        self,
        log: Log,
        port: ChannelPort,
        remote: Remote,
        *,
        clock: Callable[[], float],
        next_id: Callable[[], int],
    ) -> None:
        self.in_flight: dict[int, Sent] = {}
        """By request id, oldest first."""
        self.window = RequestWindow()
        self.paused = False
        """It sent something that does not verify: nothing more is asked of it."""
        self.silent = False
        """It owed us an answer for too long: others are asked first until it speaks again."""
        self.refusals = 0
        """Since it last said something new."""
        self.optimistic = True
        """Ask for proofs that build on answers still under way (see `PromisedNodes`)."""
        self._log = log
        self._port = port
        self._remote = remote
        self._clock = clock
        self._next_id = next_id
        self._promised = PromisedNodes()
        self._last_heard = clock()

    @property
    def willing(self) -> bool:
        """Whether the peer answers, as far as we know."""
        return self._remote.uploading and not self.paused and self.refusals < MAX_REFUSALS

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
        log, remote = self._log, self._remote
        now = self._clock()
        sent = Sent(self._next_id(), remote.fork, now)
        sent.block, sent.seek, sent.upgrade, sent.reorg = block, seek, upgrade, reorg
        manifest = remote.has_manifest and log.manifest is None
        nodes = 0
        if block >= 0:
            local = log.local
            whole = block in log.unplaced_blocks
            known = log.root if whole else log.node
            nodes, sent.optimistic = self._promised.levels(
                2 * block, 2 * local.length, known, self.optimistic and not whole
            )
            sent.size = _expected_size(local)
        if block >= 0 and upgrade is None and seek is None and hash is None and not manifest:
            body = wire.encode_block_request(sent.id, sent.fork, block, nodes, priority)
        else:
            if hash is not None:
                sent.hash = hash.index
            request = wire.Request(
                sent.id,
                sent.fork,
                wire.RequestBlock(block, nodes) if block >= 0 else None,
                hash,
                wire.RequestSeek(seek.position, seek.padding) if seek else None,
                wire.RequestUpgrade(*upgrade) if upgrade else None,
                manifest,
                priority,
            )
            body = wire.encode_request(request)
        self.in_flight[sent.id] = sent
        self.window.sent(sent.size, now)
        self._port.send(wire.REQUEST, [body])
        return sent

    def ask_for_evidence(self) -> None:
        """Request id 0: the peer's signed head, to see whether two heads exist for one length."""
        length = min(self._log.local.length, self._remote.length)
        if length:
            upgrade = wire.RequestUpgrade(0, length)
            say(self._port, wire.Request(0, self._remote.fork, upgrade=upgrade))

    def answered(self, id: int) -> Sent | None:
        """An answer came; returns the request it ends, or None if that was given up already."""
        self._last_heard = now = self._clock()
        sent = self.in_flight.pop(id, None)
        if sent is not None:
            self.window.answered(sent.size, now)
            if not self.in_flight:
                self._promised.clear()
        return sent

    def promise_broken(self) -> None:
        """An answer that others build on will not come."""
        self._promised.clear()

    def give_up(self, sent: Sent) -> None:
        """Cancel a request on the wire and forget it."""
        self._promised.clear()
        if self.in_flight.pop(sent.id, None) is not None:
            self.window.answered(sent.size, self._clock())
            self._port.send(wire.CANCEL, [wire.encode_cancel(sent.id)])

    def take_all(self) -> list[Sent]:
        """Take out everything in flight: the channel is gone."""
        lost, self.in_flight = list(self.in_flight.values()), {}
        return lost

    def deadline(self) -> float | None:
        """When the silence becomes too long; None while nothing is owed."""
        oldest = next(iter(self.in_flight.values()), None)
        return None if oldest is None else max(self._last_heard, oldest.at) + SILENCE


def _expected_size(state: TreeState) -> int:
    """Bytes to expect of a block nobody has seen."""
    return max(64, state.byte_length // state.length) if state.length else 1024
