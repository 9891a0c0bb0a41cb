"""Several signatures as one, as under every manifest since version 1 (hypercore.md 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.encoding.varint import decode_count, decode_fixed, decode_uint, encode_uint
from holdfast.hypercore.message_parts import decode_nodes, encode_nodes
from holdfast.hypercore.tree import Node

MAX_PATCH_NODES = 4096
"""Nodes that lead from the shortest to the longest tree that somebody signed."""


class PartialSignature(NamedTuple):
    """The signature of signer number ``signer``, over a tree that is ``patch`` blocks longer."""

    signer: int
    signature: bytes
    patch: int = 0


class MultiSignature(NamedTuple):
    """Signatures, and the tree nodes between the lengths they were made at."""

    parts: list[PartialSignature]
    nodes: list[Node]


def assemble(parts: Sequence[PartialSignature], nodes: Sequence[Node] = ()) -> bytes:
    """The bytes of several signatures under a manifest of version 1 or later."""
    body = [encode_uint(len(parts))]
    for part in parts:
        body += (encode_uint(part.signer), part.signature, encode_uint(part.patch))
    body.append(encode_nodes(nodes))
    return b"".join(body)


def inflate(signature: bytes) -> MultiSignature:
    """Takes several signatures apart; raises `DecodeError`."""
    count, at = decode_count(signature, 0, 66)
    parts = []
    for _ in range(count):
        signer, at = decode_uint(signature, at)
        raw, at = decode_fixed(signature, at, 64)
        patch, at = decode_uint(signature, at)
        parts.append(PartialSignature(signer, bytes(raw), patch))
    return MultiSignature(parts, decode_nodes(signature, at, MAX_PATCH_NODES)[0])


def inflate_v0(signature: bytes) -> MultiSignature:
    """The same for manifests of version 0, whose layout differs; raises `DecodeError`."""
    count, at = decode_count(signature, 0, 66)
    parts = []
    for _ in range(count):
        flags, at = decode_uint(signature, at)
        signer, at = decode_uint(signature, at)
        raw, at = decode_fixed(signature, at, 64)
        patch = 0
        if flags & 1:
            _start, at = decode_uint(signature, at)
            patch, at = decode_uint(signature, at)
            references, at = decode_count(signature, at)
            for _ in range(references):  # which nodes: the tree itself tells
                _, at = decode_uint(signature, at)
        parts.append(PartialSignature(signer, bytes(raw), patch))
    return MultiSignature(parts, decode_nodes(signature, at, MAX_PATCH_NODES)[0])
