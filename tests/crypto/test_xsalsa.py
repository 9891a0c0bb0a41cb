"""XSalsa20, native and portable, against the vectors and each other."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import crypto
from holdfast.crypto import salsa, xsalsa
from tests.vectors.load import VECTORS, unhex

KEYS = st.binary(min_size=32, max_size=32)
NONCES = st.binary(min_size=24, max_size=24)


def test_the_native_form_is_in_use() -> None:
    assert crypto.xsalsa20_is_native


@given(st.binary(max_size=300), NONCES, KEYS)
def test_both_forms_agree(data: bytes, nonce: bytes, key: bytes) -> None:
    sealed = crypto.xsalsa20_xor(data, nonce, key)
    assert sealed == salsa.xsalsa20_xor_portable(data, nonce, key)
    assert crypto.xsalsa20_xor(memoryview(sealed), nonce, key) == data
    buffer = bytearray(b"12345678" + data)
    crypto.xsalsa20_xor_in_place(buffer, nonce, key, 8)
    assert buffer == b"12345678" + sealed


def test_a_long_message() -> None:
    data, nonce, key = bytes(200_000), bytes(range(24)), bytes(range(32))
    assert crypto.xsalsa20_xor(data, nonce, key) == salsa.xsalsa20_xor_portable(data, nonce, key)


@pytest.mark.parametrize("mode", ["default", "defaultFork2", "compat", "blockKey"])
def test_block_encryption_of_the_vectors(mode: str) -> None:
    """Padding under the blinding key, then the text under the block key (wire notes 4.7)."""
    vector = VECTORS["encryption"][mode]
    index = vector["index"].to_bytes(8, "little")
    fork = vector["fork"].to_bytes(8, "little")
    blinding, block = (unhex("encryption", mode, name) for name in ("blindingKey", "blockKey"))
    padding = crypto.xsalsa20_xor(fork, index + bytes(16), blinding)
    body = crypto.xsalsa20_xor(vector["text"].encode(), index + padding + bytes(8), block)
    assert (padding + body).hex() == vector["block"]


@pytest.mark.parametrize(("nonce", "key"), [(23, 32), (25, 32), (24, 31), (24, 33), (0, 0)])
def test_lengths_are_checked_before_c_sees_them(nonce: int, key: int) -> None:
    with pytest.raises(ValueError, match="24"):
        crypto.xsalsa20_xor(b"x", bytes(nonce), bytes(key))


@pytest.mark.parametrize("start", [-1, 5])
def test_start_lies_inside(start: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        crypto.xsalsa20_xor_in_place(bytearray(4), bytes(24), bytes(32), start)


def _missing() -> xsalsa._InPlace:
    raise AttributeError("crypto_stream_xsalsa20_xor")


def _unloadable() -> xsalsa._InPlace:
    ctypes.CDLL("no-such-library.so")
    raise AssertionError("it loaded")


def _wrong() -> xsalsa._InPlace:
    return lambda buffer, start, nonce, key: None


@pytest.mark.parametrize("load", [_missing, _unloadable, _wrong])
def test_the_self_test_falls_back(load: object) -> None:
    chosen = xsalsa._choose(load)  # type: ignore[arg-type]
    buffer = bytearray(b"12345")
    chosen(buffer, 2, bytes(24), bytes(32))
    assert buffer[2:] == salsa.xsalsa20_xor_portable(b"345", bytes(24), bytes(32))
