"""All cryptography of Holdfast: the one package that imports PyNaCl and hashlib.

* ``hashing``       BLAKE2b, namespaces, discovery keys, HMAC, HKDF
* ``signing``       Ed25519 key pairs, signatures, Diffie-Hellman
* ``aead``          sealed boxes, random bytes
* ``secretstream``  the cipher of an open connection
* ``xsalsa``        the cipher of encrypted blocks (``salsa``: its portable twin)
* ``derive``        keys from the primary key of a store
* ``sealing``       secrets under a passphrase
"""

from __future__ import annotations

from holdfast.crypto.aead import (
    chacha20poly1305_decrypt,
    chacha20poly1305_encrypt,
    random_bytes,
    secretbox,
    secretbox_open,
)
from holdfast.crypto.derive import ROOT_NAMESPACE, derive_seed, sub_namespace
from holdfast.crypto.hashing import (
    Buffer,
    Hasher,
    blake2b,
    blake2b_parts,
    blake2b_prefixed,
    blake2b_prefixed_many,
    discovery_key,
    equal,
    hash64,
    hasher,
    hkdf,
    hmac_blake2b,
    namespace,
)
from holdfast.crypto.sealing import passphrase_key, seal, unseal
from holdfast.crypto.secretstream import (
    STREAM_HEADER_BYTES,
    STREAM_KEY_BYTES,
    STREAM_OVERHEAD,
    Pull,
    PullStream,
    Push,
    PushStream,
)
from holdfast.crypto.signing import KeyPair, dh, key_pair, sign, verify
from holdfast.crypto.xsalsa import xsalsa20_is_native, xsalsa20_xor, xsalsa20_xor_in_place

__all__ = [
    "ROOT_NAMESPACE",
    "STREAM_HEADER_BYTES",
    "STREAM_KEY_BYTES",
    "STREAM_OVERHEAD",
    "Buffer",
    "Hasher",
    "KeyPair",
    "Pull",
    "PullStream",
    "Push",
    "PushStream",
    "blake2b",
    "blake2b_parts",
    "blake2b_prefixed",
    "blake2b_prefixed_many",
    "chacha20poly1305_decrypt",
    "chacha20poly1305_encrypt",
    "derive_seed",
    "dh",
    "discovery_key",
    "equal",
    "hash64",
    "hasher",
    "hkdf",
    "hmac_blake2b",
    "key_pair",
    "namespace",
    "passphrase_key",
    "random_bytes",
    "seal",
    "secretbox",
    "secretbox_open",
    "sign",
    "sub_namespace",
    "unseal",
    "verify",
    "xsalsa20_is_native",
    "xsalsa20_xor",
    "xsalsa20_xor_in_place",
]
