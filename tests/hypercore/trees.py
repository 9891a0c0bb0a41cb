"""Trees for the tests of proofs: a writer with every block, readers with what was proven to them.

The blocks are those of ``tests/vectors/make_proofs.js``, so that answers compare byte by byte.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.crypto import KeyPair, blake2b, key_pair
from holdfast.hypercore import messages as wire
from holdfast.hypercore.flat_tree import full_roots
from holdfast.hypercore.manifest import Manifest, manifest_key, single_signer
from holdfast.hypercore.proof_create import create_proof
from holdfast.hypercore.proof_verify import TreeUpdate, verify_proof
from holdfast.hypercore.tree import Node, append_leaves, tree_hash
from holdfast.hypercore.verifier import Verifier, sign_head


def proof_vectors() -> dict[str, Any]:
    """Requests and answers recorded from JavaScript Hypercore 11."""
    path = Path(__file__).parent.parent / "vectors" / "proofs.json.gz"
    vectors: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return vectors


def block(index: int, smallest: int, tag: int) -> bytes:
    """Block ``index`` of the log that the vectors call ``tag``."""
    return bytes([(index * 31 + tag * 101) & 255]) * (smallest + (index * 7 + tag * 13) % 23)


def pair(tag: int) -> KeyPair:
    """The key pair that signs the log ``tag``."""
    return key_pair(bytes([tag]) * 32)


class Tree:
    """A tree in memory; satisfies `TreeView`."""

    def __init__(self) -> None:
        self.fork = 0
        self.length = 0
        self.byte_length = 0
        self.roots: list[Node] = []
        self.signature: bytes | None = None
        self.nodes: dict[int, Node] = {}

    def node(self, index: int, /) -> Node | None:
        return self.nodes.get(index)

    def cut(self, length: int) -> None:
        """Forget everything beyond ``length`` blocks."""
        self.nodes = {
            index: node
            for index, node in self.nodes.items()
            if index + ((index + 1) & ~index) < 2 * length
        }
        self.roots = [self.nodes[index] for index in full_roots(2 * length)]
        self._measure(length)

    def _measure(self, length: int) -> None:
        self.length = length
        self.byte_length = sum(root.size for root in self.roots)

    def known(self) -> str:
        """Which nodes are known, as the vectors write it."""
        return "".join("1" if index in self.nodes else "0" for index in range(2 * self.length))


class Writer(Tree):
    """A log with all its blocks and the key to sign it."""

    def __init__(self, tag: int, manifest: Manifest | None = None) -> None:
        super().__init__()
        self.pair = pair(tag)
        self.manifest = manifest or single_signer(self.pair.public_key)
        self.verifier = Verifier(manifest_key(self.manifest), self.manifest)
        self.blocks: list[bytes] = []

    def append(self, blocks: Sequence[bytes]) -> None:
        self.roots, leaves, parents = append_leaves(self.roots, self.length, blocks)
        for leaf in leaves:
            self.nodes[2 * leaf.index] = Node(2 * leaf.index, leaf.size, leaf.hash)
        self.nodes.update((node.index, node) for node in parents)
        self.blocks += blocks
        self._measure(len(self.blocks))
        self.sign()

    def sign(self) -> None:
        if self.verifier.signers:
            digest = tree_hash(self.roots)
            self.signature = sign_head(self.verifier, self.pair, digest, self.length, self.fork)

    def truncate(self, length: int) -> None:
        self.cut(length)
        del self.blocks[length:]
        self.fork += 1
        self.sign()

    def answer(self, request: wire.Request) -> wire.Data:
        """The answer as it arrives: encoded, sent, decoded."""
        return wire.decode_data(self.answer_bytes(request))

    def answer_bytes(self, request: wire.Request) -> bytes:
        proof = create_proof(
            self,
            block=request.block,
            hash=request.hash,
            seek=request.seek,
            upgrade=request.upgrade,
            prologue=self.verifier.prologue,
        )
        value = None if proof.block is None else self.blocks[proof.block.index]
        return b"".join(wire.encode_data(1, self.fork, proof, value))


class Reader(Tree):
    """Somebody who knows only what was proven to him."""

    def take(self, update: TreeUpdate) -> None:
        self.nodes.update((node.index, node) for node in update.nodes)
        if update.upgraded:
            self.fork, self.signature = update.fork, update.signature
            self.roots = update.roots
            self._measure(update.length)
            assert self.byte_length == update.byte_length

    def verify(self, data: wire.Data, verifier: Verifier) -> TreeUpdate:
        update = verify_proof(self, data, verifier)
        self.take(update)
        return update


def request(
    block: Any = 0, hash: Any = 0, seek: Any = 0, upgrade: Any = 0, *, fork: int = 0
) -> wire.Request:
    """A request from the pairs of numbers in the vectors; 0 stands for a part that is not asked."""
    return wire.Request(
        1,
        fork,
        wire.RequestBlock(*block) if block else None,
        wire.RequestHash(*hash) if hash else None,
        wire.RequestSeek(*seek) if seek else None,
        wire.RequestUpgrade(*upgrade) if upgrade else None,
    )


def short_digest(data: bytes) -> str:
    """What the vectors keep of an answer."""
    return blake2b(data)[:8].hex()
