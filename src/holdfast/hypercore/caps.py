"""The constants that keep one use of a key or hash apart from another (hypercore.md 4.1)."""

from __future__ import annotations

from holdfast.crypto import blake2b, namespace

_IDS = [0, 1, 2, 3, 4, 5]
TREE, REPLICATE_INITIATOR, REPLICATE_RESPONDER, MANIFEST, DEFAULT_NAMESPACE, DEFAULT_ENCRYPTION = (
    namespace("hypercore", _IDS)
)


def capability(initiator: bool, key: bytes, handshake_hash: bytes) -> bytes:
    """Proof, bound to one connection, that its sender knows the log's key."""
    role = REPLICATE_INITIATOR if initiator else REPLICATE_RESPONDER
    return blake2b(role + key, key=handshake_hash)
