"""Encryption of blocks before they enter the tree (hypercore.md 4.7, ``default-encryption``).

A stored block is 8 bytes of padding, then the ciphertext. The padding is the fork number, blinded:
with the block's index it makes a nonce that no other block of the log has. There is no MAC, because
the signed tree covers the ciphertext.
"""

from __future__ import annotations

from struct import Struct

from holdfast.crypto import blake2b, blake2b_parts, xsalsa20_xor, xsalsa20_xor_in_place
from holdfast.errors import DecodeError
from holdfast.hypercore.caps import DEFAULT_ENCRYPTION

PADDING = 8
"""Bytes that a stored block is longer than its plaintext."""

_uint64 = Struct("<Q").pack
_nonce = Struct("<Q16x").pack
_nonce_with_padding = Struct("<Q8s8x").pack


class BlockCipher:
    """Encrypts and decrypts the blocks of one log.

    ``compat`` logs derive another key from the same ``encryption_key``; with ``is_block_key`` it is
    used as it is (a key that opens this log only).
    """

    def __init__(
        self,
        core_key: bytes,
        encryption_key: bytes,
        *,
        compat: bool = False,
        is_block_key: bool = False,
    ) -> None:
        if len(encryption_key) != 32:
            raise ValueError("an encryption key has 32 bytes")
        if is_block_key:
            self.block_key = encryption_key
        elif compat:
            self.block_key = blake2b(encryption_key, key=core_key)
        else:
            self.block_key = blake2b_parts(DEFAULT_ENCRYPTION, core_key, encryption_key)
        self.blinding_key = blake2b(self.block_key)

    def encrypt(self, index: int, fork: int, data: bytes | memoryview) -> bytes:
        """The block as stored, `PADDING` bytes longer than ``data``.

        Never encrypt two different blocks with one (index, fork): they would share a keystream.
        """
        padding = xsalsa20_xor(_uint64(fork), _nonce(index), self.blinding_key)
        block = bytearray(padding)
        block += data
        xsalsa20_xor_in_place(
            block, _nonce_with_padding(index, padding), self.block_key, start=PADDING
        )
        return bytes(block)

    def decrypt(self, index: int, block: bytes | memoryview) -> bytes:
        """The plaintext of a stored block; raises `DecodeError` when it is too short to be one."""
        if len(block) < PADDING:
            raise DecodeError(f"Block {index} is too short to be encrypted.")
        view = memoryview(block)
        nonce = _nonce_with_padding(index, bytes(view[:PADDING]))
        return xsalsa20_xor(view[PADDING:], nonce, self.block_key)
