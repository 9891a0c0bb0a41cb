from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DecodeError
from holdfast.hypercore.caps import DEFAULT_NAMESPACE
from holdfast.hypercore.manifest import (
    MAX_SIGNERS,
    Manifest,
    Prologue,
    Signer,
    decode_manifest,
    encode_manifest,
    manifest_key,
    single_signer,
)
from tests.vectors.load import VECTORS, unhex

KEY = unhex("keyPair", "publicKey")
NINES = bytes([9]) * 32

MANIFESTS = {
    "v1single": single_signer(KEY),
    "v0single": Manifest((Signer(KEY),), version=0),
    "v1prologue": Manifest((), 0, prologue=Prologue(bytes([5]) * 32, 7)),
    "v2linkedUserData": Manifest(
        (Signer(KEY),), version=2, linked=(bytes([6]) * 32,), user_data=b"hello"
    ),
}


@pytest.mark.parametrize("name", VECTORS["manifest"])
def test_encoding_and_key_are_those_of_javascript(name):
    golden = VECTORS["manifest"][name]
    encoded = bytes.fromhex(golden["encoded"])
    manifest = decode_manifest(encoded)
    assert encode_manifest(manifest) == encoded
    assert manifest_key(manifest).hex() == golden["key"]
    assert MANIFESTS.get(name, manifest) == manifest


def test_a_quorum_with_patches():
    manifest = decode_manifest(unhex("manifest", "v1quorum2of3patch", "encoded"))
    assert manifest.quorum == 2
    assert manifest.allow_patch
    assert [signer.namespace for signer in manifest.signers] == [NINES] * 3
    assert manifest.signers[0].public_key == KEY


keys = st.binary(min_size=32, max_size=32)
signers = st.lists(st.builds(Signer, keys, keys), min_size=1, max_size=4).map(tuple)


@st.composite
def manifests(draw):
    some = draw(signers)
    version = draw(st.integers(0, 3))
    manifest = Manifest(
        some, draw(st.integers(1, len(some))), version, allow_patch=draw(st.booleans())
    )
    if version >= 1 and draw(st.booleans()):
        manifest = replace(manifest, prologue=Prologue(draw(keys), draw(st.integers(0, 2**50))))
    if version >= 2 and draw(st.booleans()):
        manifest = replace(manifest, linked=tuple(draw(st.lists(keys, max_size=3))))
    if version >= 2 and draw(st.booleans()):
        manifest = replace(manifest, user_data=draw(st.binary(max_size=300)))
    return manifest


@given(manifests(), st.binary(max_size=5))
def test_what_is_encoded_can_be_decoded(manifest, trailing):
    assert decode_manifest(encode_manifest(manifest) + trailing) == manifest


def test_a_static_manifest_of_version_0():
    manifest = Manifest((), 0, 0, prologue=Prologue(NINES, 0))
    assert decode_manifest(encode_manifest(manifest)) == manifest


@given(manifests(), st.data())
def test_a_manifest_cut_short_is_refused(manifest, data):
    encoded = encode_manifest(manifest)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode_manifest(encoded[:cut])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(data):
    try:
        manifest = decode_manifest(data)
    except DecodeError:
        return
    assert decode_manifest(encode_manifest(manifest)) == manifest


ONE_SIGNER = b"\x01" + b"\0" + DEFAULT_NAMESPACE + KEY


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x04\0\0\x01" + ONE_SIGNER,  # a version from the future
        b"\x01\0\x01\x01" + ONE_SIGNER,  # another hash
        b"\x01\0\0\x01\x01\x01" + DEFAULT_NAMESPACE + KEY,  # another signature
        b"\x01\0\0\x02" + ONE_SIGNER,  # more signatures than signers
        b"\x01\x04\0\x01" + ONE_SIGNER + b"\x01" + NINES,  # linked before version 2
        b"\x01\x08\0\x01" + ONE_SIGNER + b"\x01x",  # user data before version 2
        b"\0\0\x03" + ONE_SIGNER,  # an unknown kind of version 0
        b"\x01\0\0\x01\xfd\x01\x04" + bytes(65 * (MAX_SIGNERS + 1)),  # too many signers
        b"\x01\0\0\x01\xff" + bytes([255]) * 6 + b"\x1f\0" + KEY,  # as many signers as fit nowhere
    ],
)
def test_manifests_that_mean_nothing_are_refused(encoded):
    with pytest.raises(DecodeError):
        decode_manifest(encoded)
