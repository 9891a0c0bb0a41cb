"""Keys from keys as corestore derives them, so that a seed can be carried over (wire notes 4.1)."""

from __future__ import annotations

from holdfast.crypto.hashing import blake2b, blake2b_parts, namespace

ROOT_NAMESPACE = bytes(32)
_CORESTORE = namespace("corestore", [0])[0]


def derive_seed(primary_key: bytes, namespace32: bytes, name: str | bytes) -> bytes:
    """The Ed25519 seed of the core called ``name`` in a namespace of a store."""
    label = name.encode() if isinstance(name, str) else name
    return blake2b_parts(_CORESTORE, namespace32, label, key=primary_key)


def sub_namespace(parent: bytes, name: str | bytes) -> bytes:
    """The namespace ``name`` inside ``parent`` (start from `ROOT_NAMESPACE`)."""
    return blake2b(parent + (name.encode() if isinstance(name, str) else name))
