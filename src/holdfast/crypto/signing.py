"""Ed25519: key pairs, signatures as libsodium judges them, and Diffie-Hellman on the same curve."""

from __future__ import annotations

from hashlib import sha512
from typing import NamedTuple

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from holdfast.crypto.hashing import Buffer
from holdfast.errors import HandshakeError

PUBLIC_KEY_BYTES = 32
SECRET_KEY_BYTES = 64
SEED_BYTES = 32
SIGNATURE_BYTES = 64


class KeyPair(NamedTuple):
    """An Ed25519 key pair; the secret key is libsodium's 64 bytes, seed then public key."""

    public_key: bytes
    secret_key: bytes

    @property
    def seed(self) -> bytes:
        """The 32 bytes that give this pair again."""
        return self.secret_key[:SEED_BYTES]

    def __repr__(self) -> str:
        """Show the public half only: a secret must not reach a log or a traceback."""
        return f"KeyPair(public_key={self.public_key.hex()})"


def key_pair(seed: bytes | None = None) -> KeyPair:
    """The pair of a 32-byte ``seed``, or a fresh random one."""
    if seed is None:
        seed = sodium.randombytes(SEED_BYTES)
    if len(seed) != SEED_BYTES:
        raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
    return KeyPair(*sodium.crypto_sign_seed_keypair(bytes(seed)))


def sign(message: Buffer, secret_key: bytes) -> bytes:
    """The 64-byte detached signature of ``message``."""
    return sodium.crypto_sign(bytes(message), secret_key)[:SIGNATURE_BYTES]


def verify(message: Buffer, signature: Buffer, public_key: Buffer) -> bool:
    """Whether libsodium accepts the signature; never raises, whatever the bytes (any length)."""
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        sodium.crypto_sign_open(b"".join((signature, message)), bytes(public_key))
    except CryptoError:
        return False
    return True


def dh(secret_key: bytes, public_key: Buffer) -> bytes:
    """Shared 32 bytes on the Ed25519 curve (wire notes 4.4: this is not X25519).

    HandshakeError when ``public_key`` is not a point of the main subgroup.
    """
    scalar = bytearray(sha512(secret_key[:SEED_BYTES]).digest()[:32])
    scalar[0] &= 248
    scalar[31] = (scalar[31] & 127) | 64
    try:
        return sodium.crypto_scalarmult_ed25519_noclamp(bytes(scalar), bytes(public_key))
    except (CryptoError, TypeError) as error:
        raise HandshakeError(
            "The other side sent a public key that is not a usable point."
        ) from error
