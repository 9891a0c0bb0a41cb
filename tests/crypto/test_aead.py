"""Sealed boxes open only unchanged and with the right key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import crypto
from holdfast.errors import DecodeError

KEY, OTHER = bytes(range(32)), bytes(32)


def _aead(key: bytes) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    nonce, ad = bytes(12), b"context"
    return (
        lambda plain: crypto.chacha20poly1305_encrypt(key, nonce, ad, plain),
        lambda sealed: crypto.chacha20poly1305_decrypt(key, nonce, ad, sealed),
    )


def _box(key: bytes) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    nonce = bytes(24)
    return (
        lambda plain: crypto.secretbox(key, nonce, plain),
        lambda sealed: crypto.secretbox_open(key, nonce, sealed),
    )


@pytest.mark.parametrize("cipher", [_aead, _box])
@given(plain=st.binary(max_size=300), bit=st.integers(0, 7), data=st.data())
def test_round_trip_and_tampering(
    cipher: Callable[[bytes], tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]],
    plain: bytes,
    bit: int,
    data: st.DataObject,
) -> None:
    seal, unseal = cipher(KEY)
    sealed = seal(plain)
    assert len(sealed) == len(plain) + 16
    assert unseal(sealed) == plain
    changed = bytearray(sealed)
    changed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << bit
    for bad in (bytes(changed), sealed[:-1], b""):
        with pytest.raises(DecodeError):
            unseal(bad)
    with pytest.raises(DecodeError):
        cipher(OTHER)[1](sealed)


def test_chacha20poly1305_of_rfc_8439() -> None:
    """RFC 8439, 2.8.2."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    ad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plain = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "
        b"the future, sunscreen would be it."
    )
    sealed = crypto.chacha20poly1305_encrypt(key, nonce, ad, plain)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_random_bytes_are_many_and_different() -> None:
    assert len(crypto.random_bytes(40)) == 40
    assert crypto.random_bytes(32) != crypto.random_bytes(32)
