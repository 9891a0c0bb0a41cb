from __future__ import annotations

import pytest

from holdfast.crypto import KeyPair
from holdfast.errors import InvalidProof, NotWritableError
from holdfast.hypercore.manifest import Manifest, Prologue, Signer, manifest_key, single_signer
from holdfast.hypercore.multisig import PartialSignature, assemble, inflate
from holdfast.hypercore.tree import tree_hash
from holdfast.hypercore.verifier import Verifier, sign_head
from tests.hypercore.trees import Writer, pair
from tests.vectors.load import unhex

PAIR = KeyPair(unhex("keyPair", "publicKey"), unhex("keyPair", "secretKey"))
DIGEST = unhex("tree", "hashOfRoots")
HEAD = (DIGEST, 3, 0)


def of(manifest):
    return Verifier(manifest_key(manifest), manifest)


def test_a_single_signer_signs_as_in_javascript():
    verifier = of(single_signer(PAIR.public_key))
    assert verifier.signable(verifier.signers[0], *HEAD) == unhex("tree", "signable")
    signature = sign_head(verifier, PAIR, *HEAD)
    assert signature == unhex("tree", "multiSignature")
    assert inflate(signature).parts[0].signature == unhex("tree", "signature")
    assert verifier.verify(*HEAD, signature)
    for other in ((bytes(32), 3, 0), (DIGEST, 4, 0), (DIGEST, 3, 1)):
        assert not verifier.verify(*other, signature)
    for bad in (None, b"", signature[:-1], unhex("tree", "signature"), b"\0\0", b"\xff" * 70):
        assert not verifier.verify(*HEAD, bad)


def test_without_a_manifest_the_key_itself_signs():
    for manifest in (None, single_signer(PAIR.public_key)):
        verifier = Verifier(PAIR.public_key, manifest)
        assert verifier.compat
        assert verifier.signable(verifier.signers[0], *HEAD) == unhex("tree", "compatSignable")
        signature = sign_head(verifier, PAIR, *HEAD)
        assert len(signature) == 64
        assert verifier.verify(*HEAD, signature)
        assert not verifier.verify(DIGEST, 3, 1, signature)


def test_version_0_signs_for_its_namespace():
    verifier = of(Manifest((Signer(PAIR.public_key, bytes(32)),), version=0))
    assert verifier.signable(verifier.signers[0], *HEAD)[32:64] == bytes(32)
    signature = sign_head(verifier, PAIR, *HEAD)
    assert len(signature) == 64
    assert verifier.verify(*HEAD, signature)


def test_a_version_0_manifest_without_signers_signs_nothing():
    verifier = of(Manifest((), 0, 0, prologue=Prologue(DIGEST, 0)))
    assert not verifier.verify(*HEAD, b"\0\0")


def test_a_manifest_of_another_key_is_refused():
    manifest = single_signer(PAIR.public_key)
    with pytest.raises(InvalidProof):
        Verifier(bytes(32), manifest)
    reader = Verifier(manifest_key(manifest))
    reader.check_manifest(manifest)
    with pytest.raises(InvalidProof):
        reader.check_manifest(single_signer(bytes(32)))


def test_only_a_signer_can_sign():
    with pytest.raises(NotWritableError):
        sign_head(of(single_signer(PAIR.public_key)), pair(2), *HEAD)


def quorum(signers: int, needed: int, *, patch: bool = False) -> Verifier:
    keys = tuple(Signer(pair(i).public_key) for i in range(1, signers + 1))
    return of(Manifest(keys, needed, allow_patch=patch))


def signed_by(verifier: Verifier, *numbers: int) -> bytes:
    return assemble([PartialSignature(n, sign_head(verifier, pair(n + 1), *HEAD)) for n in numbers])


def test_a_quorum_needs_enough_different_signers():
    verifier = quorum(3, 2)
    assert verifier.verify(*HEAD, signed_by(verifier, 0, 1))
    assert verifier.verify(*HEAD, signed_by(verifier, 2, 0, 1))
    assert not verifier.verify(*HEAD, signed_by(verifier, 1))
    assert not verifier.verify(*HEAD, signed_by(verifier, 1, 1))
    unknown = assemble([PartialSignature(n, sign_head(verifier, pair(1), *HEAD)) for n in (0, 3)])
    assert not verifier.verify(*HEAD, unknown)
    swapped = assemble(
        [PartialSignature(n, sign_head(verifier, pair(2 - n), *HEAD)) for n in (0, 1)]
    )
    assert not verifier.verify(*HEAD, swapped)


def test_a_signature_of_a_longer_tree_needs_the_nodes_between():
    verifier = quorum(2, 2, patch=True)
    tree = Writer(7)
    tree.append([b"block"] * 5)
    head, roots = (tree_hash(tree.roots), 5, 0), list(tree.roots)
    tree.append([b"block"] * 3)
    parts = [
        PartialSignature(0, sign_head(verifier, pair(1), *head)),
        PartialSignature(1, sign_head(verifier, pair(2), tree_hash(tree.roots), 8, 0), patch=3),
    ]
    between = [tree.nodes[10], tree.nodes[13]]
    signature = assemble(parts, between)
    assert verifier.verify(*head, signature, roots)
    assert not verifier.verify(*head, signature)  # the roots are not known
    assert not verifier.verify(*head, assemble(parts, between[:1]), roots)
    assert not verifier.verify(*head, assemble(parts, [tree.nodes[10], tree.nodes[0]]), roots)
    swapped = [between[0], between[1]._replace(hash=bytes(32))]
    assert not verifier.verify(*head, assemble(parts, swapped), roots)
    for length in (4, 8):  # roots of another length
        other = Writer(7)
        other.append([b"block"] * length)
        assert not verifier.verify(*head, signature, other.roots)
    without_patches = quorum(2, 2)
    assert not without_patches.verify(*head, signature, roots)


def test_a_prologue_needs_no_signature_and_allows_no_other():
    manifest = Manifest((Signer(PAIR.public_key),), prologue=Prologue(DIGEST, 3))
    verifier = of(manifest)
    assert verifier.verify(*HEAD, None)
    assert not verifier.verify(bytes(32), 3, 0, sign_head(verifier, PAIR, bytes(32), 3, 0))
    assert not verifier.verify(DIGEST, 2, 0, sign_head(verifier, PAIR, DIGEST, 2, 0))
    assert verifier.verify(DIGEST, 4, 0, sign_head(verifier, PAIR, DIGEST, 4, 0))
    assert not verifier.verify(DIGEST, 4, 0, None)
