"""Hashes against the peers' vectors and against each other."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import crypto
from tests.vectors.load import VECTORS, unhex

IDS = {
    "hypercore": range(6),
    "corestore": [0],
    "hyperdrive": [0],
    "hyperswarm/secret-stream": range(3),
    "hyperswarm/dht": [4, 5, 6, 0, 1, 10],
}


@pytest.mark.parametrize("name", IDS)
def test_namespaces_are_those_of_the_peers(name: str) -> None:
    made = [value.hex() for value in crypto.namespace(name, list(IDS[name]))]
    assert made == VECTORS["namespace"][name]


@pytest.mark.parametrize("manifest", list(VECTORS["manifest"]))
def test_discovery_keys_are_those_of_the_peers(manifest: str) -> None:
    key = unhex("manifest", manifest, "key")
    assert crypto.discovery_key(key) == unhex("manifest", manifest, "discoveryKey")


@pytest.mark.parametrize(("role", "id"), [("initiator", 1), ("responder", 2)])
def test_capability_of_the_vectors(role: str, id: int) -> None:
    """A keyed hash over a namespace and a core key, as replication will use it."""
    namespace = crypto.namespace("hypercore", [id])[0]
    core_key = unhex("manifest", "v1single", "key")
    made = crypto.blake2b_parts(namespace, core_key, key=unhex("capability", "handshakeHash"))
    assert made == unhex("capability", role)


@given(st.lists(st.binary(max_size=200), max_size=5), st.binary(max_size=64))
def test_every_way_of_hashing_agrees(parts: list[bytes], key: bytes) -> None:
    whole = b"".join(parts)
    expected = hashlib.blake2b(whole, digest_size=32, key=key).digest()
    assert crypto.blake2b(whole, key=key) == expected
    assert crypto.blake2b(memoryview(whole), key=key) == expected
    assert crypto.blake2b_parts(*parts, key=key) == expected
    plain = crypto.blake2b(whole)
    running = crypto.hasher()
    for part in parts:
        running.update(part)
    assert running.digest() == plain
    assert crypto.blake2b_prefixed(whole[:9], bytearray(whole[9:])) == plain


def test_hmac_follows_its_definition() -> None:
    key, data = b"k" * 64, b"message"
    padded = key.ljust(128, b"\x00")
    inner = hashlib.blake2b(bytes(b ^ 0x36 for b in padded) + data).digest()
    outer = hashlib.blake2b(bytes(b ^ 0x5C for b in padded) + inner).digest()
    assert crypto.hmac_blake2b(key, data) == outer
    assert crypto.hash64(data) == hashlib.blake2b(data).digest()


def test_hkdf_gives_two_different_outputs() -> None:
    first, second = crypto.hkdf(b"c" * 64, b"secret")
    assert len(first) == len(second) == 64
    assert first != second


@pytest.mark.parametrize(("other", "same"), [(b"abc", True), (b"abd", False), (b"ab", False)])
def test_equal(other: bytes, same: bool) -> None:
    assert crypto.equal(b"abc", other) is same
    assert crypto.equal(memoryview(b"abc"), bytearray(other)) is same
