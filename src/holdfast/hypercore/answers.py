"""Answers to our requests: checked against the question and the signed tree, then taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.errors import DecodeError, DiskFullError, InvalidProof
from holdfast.hypercore import messages as wire
from holdfast.hypercore.conflict import evidence_of_conflict
from holdfast.hypercore.manifest import decode_manifest
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.proof_verify import StaleProof, verify_block, verify_proof
from holdfast.hypercore.requests import Sent
from holdfast.hypercore.state import TreeState
from holdfast.hypercore.tree_view import MissingNode

if TYPE_CHECKING:
    from holdfast.hypercore.log import Log
    from holdfast.hypercore.replicator import Replicator


class Answers:
    """Nothing is kept that was not asked for and proven."""

    def __init__(self, replicator: Replicator) -> None:
        self._replicator = replicator
        self._log = replicator.log

    def on_data(self, peer: Peer, sent: Sent, data: wire.Data, digest: bytes | None = None) -> None:
        """An answer to one of our requests; ``digest``: its block's leaf hash, if computed here."""
        replicator = self._replicator
        try:
            if sent.reorg:
                replicator.reorgs.on_data(peer, sent, data)
            else:
                self._take(peer, sent, data, digest)
        except (InvalidProof, DecodeError) as error:
            self._not_proven(peer, sent, error)
        except MissingNode:  # of our own tree: asked again, with a proof that brings it back
            peer.asking.refusals += 1
            replicator.refused(peer, sent)
        except DiskFullError as error:
            replicator.halt(error)
            replicator.refused(peer, sent)
        else:
            replicator.answered(sent)

    def _take(self, peer: Peer, sent: Sent, data: wire.Data, digest: bytes | None) -> None:
        if data.fork != self._log.local.fork:
            raise StaleProof("The answer is for another fork.")
        _check_was_asked(sent, data)
        if data.manifest is not None and self._log.manifest is None:
            learn_manifest(self._log, data.manifest)
        block, proven = data.block, data.upgrade or data.hash or data.seek
        if block is not None and data.upgrade is None and self._log.has(block.index):
            return  # somebody else was quicker
        if block is not None and proven is None:
            self._take_block(peer, block, digest)
        elif proven is not None:
            self._take_proof(peer, data)

    def _take_block(self, peer: Peer, block: wire.BlockData, digest: bytes | None) -> None:
        log = self._log
        nodes = verify_block(log.local, block.index, block.value, block.nodes, digest)
        log.receive_nodes(nodes)
        log.receive_block(block.index, block.value)
        peer.blocks_received += 1
        self._replicator.blocks.deliver(block.index, block.value)

    def _take_proof(self, peer: Peer, data: wire.Data) -> None:
        log = self._log
        update = verify_proof(log.local, data, log.verifier)
        log.receive_nodes(update.nodes)
        if update.upgraded:
            signature = update.signature or b""
            log.receive_upgrade(
                TreeState(log.node, update.fork, update.length, update.roots, signature)
            )
        if data.block is not None:
            log.receive_block(data.block.index, data.block.value)
            peer.blocks_received += 1
            self._replicator.blocks.deliver(data.block.index, data.block.value)

    def _not_proven(self, peer: Peer, sent: Sent, error: Exception) -> None:
        asking = peer.asking
        if sent.optimistic:
            # The answer it builds on has not come (yet): ask again for a proof that stands alone.
            asking.optimistic = False
        elif isinstance(error, StaleProof):
            asking.refusals += 1
        else:
            # Two signed heads, or a liar: ask for evidence once and nothing else.
            asking.paused = True
        self._replicator.refused(peer, sent)
        if asking.paused:
            asking.ask_for_evidence()

    def on_evidence(self, peer: Peer, data: wire.Data) -> None:
        """A signed head sent as proof that two exist for one length (request id 0)."""
        if data.upgrade is None or data.upgrade.start != 0 or data.fork != self._log.local.fork:
            return
        conflict = evidence_of_conflict(self._log, data)
        if conflict is not None:
            self._replicator.freeze(conflict, b"".join(wire.encode_data(0, data.fork, data)))


def learn_manifest(log: Log, encoded: bytes | memoryview) -> None:
    """Take a manifest that a peer sent. Raises `InvalidProof` when it is not this key's."""
    manifest = decode_manifest(encoded)
    log.verifier.check_manifest(manifest)
    log.receive_manifest(manifest)


def _check_was_asked(sent: Sent, data: wire.Data) -> None:
    block, hash, seek, upgrade = data.block, data.hash, data.seek, data.upgrade
    if (
        (block is not None and block.index != sent.block)
        or (hash is not None and hash.index != sent.hash)
        or (seek is not None and (sent.seek is None or seek.bytes != sent.seek.position))
        # A log with a prologue answers from 0, whatever was asked.
        or (
            upgrade is not None
            and (sent.upgrade is None or upgrade.start not in (0, sent.upgrade[0]))
        )
    ):
        raise InvalidProof("The peer answered something that was not asked.")
