"""Sealed boxes: ChaCha20-Poly1305 for handshakes, XSalsa20-Poly1305 for secrets at rest."""

from __future__ import annotations

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from holdfast.crypto.hashing import Buffer
from holdfast.errors import DecodeError

AEAD_TAG_BYTES = 16
BOX_NONCE_BYTES = 24
BOX_TAG_BYTES = 16


def random_bytes(count: int) -> bytes:
    """Unpredictable bytes from the system: the only source; elsewhere it is a parameter."""
    return sodium.randombytes(count)


def chacha20poly1305_encrypt(key: bytes, nonce: bytes, ad: bytes, plain: Buffer) -> bytes:
    """IETF ChaCha20-Poly1305 (nonce 12 bytes): 16 bytes longer than ``plain``."""
    return sodium.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(plain), ad, nonce, key)


def chacha20poly1305_decrypt(key: bytes, nonce: bytes, ad: bytes, sealed: Buffer) -> bytes:
    """Open what `chacha20poly1305_encrypt` sealed; DecodeError when a bit or the key differs."""
    if len(sealed) < AEAD_TAG_BYTES:
        raise DecodeError("A sealed message is shorter than its tag.")
    try:
        return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(bytes(sealed), ad, nonce, key)
    except CryptoError as error:
        raise DecodeError("A sealed message does not open with this key.") from error


def secretbox(key: bytes, nonce: bytes, plain: Buffer) -> bytes:
    """XSalsa20-Poly1305 (nonce 24 bytes): 16 bytes longer than ``plain``."""
    return sodium.crypto_secretbox_easy(bytes(plain), nonce, key)


def secretbox_open(key: bytes, nonce: bytes, box: Buffer) -> bytes:
    """Open what `secretbox` sealed; DecodeError when a bit or the key differs."""
    if len(box) < BOX_TAG_BYTES:
        raise DecodeError("A sealed box is shorter than its tag.")
    try:
        return sodium.crypto_secretbox_open_easy(bytes(box), nonce, key)
    except CryptoError as error:
        raise DecodeError("A sealed box does not open with this key.") from error
