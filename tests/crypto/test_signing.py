"""Ed25519 as libsodium and the peers have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import crypto
from holdfast.errors import HandshakeError
from tests.vectors.load import unhex

SEED = unhex("keyPair", "seed")
PAIR = crypto.key_pair(SEED)


def test_key_pair_of_the_vectors() -> None:
    assert PAIR.public_key == unhex("keyPair", "publicKey")
    assert PAIR.secret_key == unhex("keyPair", "secretKey")
    assert PAIR.seed == SEED


def test_signature_of_the_vectors() -> None:
    signable = unhex("tree", "signable")
    assert crypto.sign(signable, PAIR.secret_key) == unhex("tree", "signature")
    assert crypto.verify(signable, unhex("tree", "signature"), PAIR.public_key)


def test_a_fresh_pair_is_fresh() -> None:
    assert crypto.key_pair() != crypto.key_pair()


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_has_one_length(length: int) -> None:
    with pytest.raises(ValueError, match="32"):
        crypto.key_pair(bytes(length))


def test_repr_keeps_the_secret() -> None:
    assert SEED.hex() not in repr(PAIR)
    assert PAIR.public_key.hex() in repr(PAIR)


@given(st.binary(max_size=200), st.integers(0, 511))
def test_one_changed_bit_is_noticed(message: bytes, bit: int) -> None:
    signature = bytearray(crypto.sign(message, PAIR.secret_key))
    assert crypto.verify(memoryview(message), signature, PAIR.public_key)
    signature[bit // 8] ^= 1 << bit % 8
    assert not crypto.verify(message, signature, PAIR.public_key)


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=40))
def test_verify_never_raises(message: bytes, signature: bytes, key: bytes) -> None:
    assert crypto.verify(message, signature, key) is False


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_dh_is_shared(first: bytes, second: bytes) -> None:
    one, two = crypto.key_pair(first), crypto.key_pair(second)
    secret = crypto.dh(one.secret_key, two.public_key)
    assert secret == crypto.dh(two.secret_key, one.public_key)
    assert len(secret) == 32


SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.mark.parametrize("point", [*SMALL_ORDER, b"\xff" * 32, b"", bytes(31), bytes(33)])
def test_dh_refuses_what_is_no_point_of_the_subgroup(point: bytes) -> None:
    with pytest.raises(HandshakeError):
        crypto.dh(PAIR.secret_key, point)
