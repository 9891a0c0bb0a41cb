"""The constants that keep one use of a key or hash apart from another (hypercore.md 4.1)."""

from __future__ import annotations

from holdfast.crypto import blake2b, equal, namespace
from holdfast.errors import DecodeError
from holdfast.hypercore.messages import decode_handshake

_IDS = [0, 1, 2, 3, 4, 5]
TREE, REPLICATE_INITIATOR, REPLICATE_RESPONDER, MANIFEST, DEFAULT_NAMESPACE, DEFAULT_ENCRYPTION = (
    namespace("hypercore", _IDS)
)


def capability(initiator: bool, key: bytes, handshake_hash: bytes) -> bytes:
    """Proof, bound to one connection, that its sender knows the log's key."""
    role = REPLICATE_INITIATOR if initiator else REPLICATE_RESPONDER
    return blake2b(role + key, key=handshake_hash)


def proves(
    handshake: bytes | memoryview, initiator: bool, key: bytes, handshake_hash: bytes
) -> bool:
    """Whether a channel's handshake shows that its sender, in this role, knows the log's key."""
    expected = capability(initiator, key, handshake_hash)
    try:
        shown = decode_handshake(handshake).capability
    except DecodeError:
        return False
    return equal(shown, expected)
