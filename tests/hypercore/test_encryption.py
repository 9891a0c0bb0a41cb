from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DecodeError
from holdfast.hypercore.encryption import PADDING, BlockCipher
from tests.vectors.load import VECTORS, unhex

ENCRYPTION_KEY = unhex("encryption", "encryptionKey")
CORE_KEY = unhex("encryption", "hypercoreKey")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("default", {}),
        ("defaultFork2", {}),
        ("compat", {"compat": True}),
        ("blockKey", {"is_block_key": True}),
    ],
)
def test_blocks_are_those_of_javascript(name, options):
    golden = VECTORS["encryption"][name]
    cipher = BlockCipher(CORE_KEY, ENCRYPTION_KEY, **options)
    assert cipher.block_key.hex() == golden["blockKey"]
    assert cipher.blinding_key.hex() == golden["blindingKey"]
    text, block = golden["text"].encode(), bytes.fromhex(golden["block"])
    assert cipher.encrypt(golden["index"], golden["fork"], text) == block
    assert cipher.decrypt(golden["index"], block) == text


@given(st.binary(max_size=300), st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), st.booleans())
def test_what_is_encrypted_can_be_decrypted(data, index, fork, compat):
    cipher = BlockCipher(CORE_KEY, ENCRYPTION_KEY, compat=compat)
    block = cipher.encrypt(index, fork, memoryview(data))
    assert len(block) == len(data) + PADDING
    assert cipher.decrypt(index, memoryview(block)) == data


def test_equal_blocks_never_look_equal():
    cipher = BlockCipher(CORE_KEY, ENCRYPTION_KEY)
    blocks = {cipher.encrypt(i, fork, b"the same") for i in range(20) for fork in range(20)}
    assert len(blocks) == 400


def test_a_block_without_padding_is_refused():
    cipher = BlockCipher(CORE_KEY, ENCRYPTION_KEY)
    with pytest.raises(DecodeError):
        cipher.decrypt(0, bytes(PADDING - 1))
    assert cipher.decrypt(0, cipher.encrypt(0, 0, b"")) == b""


def test_keys_have_32_bytes():
    with pytest.raises(ValueError, match="32"):
        BlockCipher(CORE_KEY, b"short")
