"""Whether the head of a log is signed by whom its key says (hypercore.md 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from holdfast.crypto import KeyPair, sign, verify
from holdfast.errors import DecodeError, InvalidProof, NotWritableError
from holdfast.hypercore.caps import TREE
from holdfast.hypercore.flat_tree import upgrade_path
from holdfast.hypercore.growth import Growth
from holdfast.hypercore.manifest import Manifest, Prologue, Signer, manifest_key
from holdfast.hypercore.message_types import UpgradeData
from holdfast.hypercore.multisig import PartialSignature, assemble, inflate, inflate_v0
from holdfast.hypercore.tree import Node, tree_hash

_length_and_fork = Struct("<QQ").pack


class Verifier:
    """Checks signed heads of one log.

    ``compat``: the key is itself the signer's public key, as before manifests. That is assumed as
    long as no manifest is known. Raises `InvalidProof` for a manifest that is not this key's.
    """

    def __init__(self, key: bytes, manifest: Manifest | None = None) -> None:
        self.key = key
        self.manifest = manifest
        self.compat = manifest is None or (
            len(manifest.signers) == 1 and manifest.signers[0].public_key == key
        )
        if manifest is None or self.compat:
            self.version = 0
            self.signers: tuple[Signer, ...] = (Signer(key),)
            self.quorum = 1
            self.allow_patch = False
            self.prologue: Prologue | None = None
            return
        if manifest_key(manifest) != key:
            raise InvalidProof("A manifest does not belong to the key of this log.")
        self.version = manifest.version
        self.signers = manifest.signers
        self.quorum = manifest.quorum
        self.allow_patch = manifest.allow_patch
        self.prologue = manifest.prologue

    def check_manifest(self, manifest: Manifest) -> None:
        """Raises `InvalidProof` for a manifest that is not this key's."""
        Verifier(self.key, manifest)

    def signable(self, signer: Signer, tree_hash: bytes, length: int, fork: int) -> bytes:
        """What ``signer`` signs to vouch for a head."""
        if self.compat:
            context = b""
        else:
            context = signer.namespace if self.version == 0 else self.key
        return TREE + context + tree_hash + _length_and_fork(length, fork)

    def verify(
        self,
        tree_hash: bytes,
        length: int,
        fork: int,
        signature: bytes | None,
        roots: Sequence[Node] = (),
    ) -> bool:
        """Whether this head is signed as it must be.

        ``roots`` are those that ``tree_hash`` is of; without them a log with several signers of
        whom one signed a longer tree cannot be checked and counts as unsigned.
        """
        if self.version > 0 and self.prologue is not None and length <= self.prologue.length:
            return length == self.prologue.length and tree_hash == self.prologue.hash
        if not signature:
            return False
        if self.version == 0 and len(self.signers) == 1 and not self.allow_patch:
            return self._signed(self.signers[0], tree_hash, length, fork, signature)
        return self._verify_several(tree_hash, length, fork, signature, roots)

    def _signed(
        self, signer: Signer, tree_hash: bytes, length: int, fork: int, signature: bytes
    ) -> bool:
        message = self.signable(signer, tree_hash, length, fork)
        return verify(message, signature, signer.public_key)

    def _verify_several(
        self, digest: bytes, length: int, fork: int, signature: bytes, roots: Sequence[Node]
    ) -> bool:
        try:
            parts, nodes = (inflate_v0 if self.version == 0 else inflate)(signature)
        except DecodeError:
            return False
        if self.quorum == 0 or len(parts) < self.quorum:
            return False
        seen: set[int] = set()
        for part in parts[: self.quorum]:
            if part.signer >= len(self.signers) or part.signer in seen:
                return False
            seen.add(part.signer)
            signed_digest, signed_length = digest, length
            if part.patch and self.allow_patch:
                longer = _patched(roots, length, part.patch, nodes)
                if longer is None:
                    return False
                signed_digest, signed_length = tree_hash(longer.roots), longer.length
            signer = self.signers[part.signer]
            if not self._signed(signer, signed_digest, signed_length, fork, part.signature):
                return False
        return True


def sign_head(
    verifier: Verifier, key_pair: KeyPair, tree_hash: bytes, length: int, fork: int
) -> bytes:
    """The signature of a head by one signer.

    Complete for a log with one signer; with several it is the signature that a `PartialSignature`
    carries. Raises `NotWritableError` when the key pair is not a signer's.
    """
    for number, signer in enumerate(verifier.signers):
        if signer.public_key == key_pair.public_key:
            message = verifier.signable(signer, tree_hash, length, fork)
            signature = sign(message, key_pair.secret_key)
            if verifier.version == 0 or len(verifier.signers) > 1:
                return signature
            return assemble([PartialSignature(number, signature)])
    raise NotWritableError("This key pair is not one of those that may sign the log.")


def _patched(roots: Sequence[Node], length: int, more: int, nodes: Sequence[Node]) -> Growth | None:
    """The tree that is ``more`` blocks longer, if ``nodes`` lead there."""
    known = {node.index: node for node in nodes}
    path = [known.get(index) for index in upgrade_path(2 * length, 2 * (length + more))]
    found = [node for node in path if node is not None]
    if not roots or len(found) < len(path):
        return None
    growth = Growth(roots, length)
    try:
        growth.upgrade(UpgradeData(length, more, found, [], None))
    except InvalidProof:
        return None
    return growth
