"""Proofs against a log's signed tree: all that a log or replicator needs of them."""

from __future__ import annotations

from holdfast.hypercore.proof_create import block_proof, create_proof
from holdfast.hypercore.proof_verify import StaleProof, TreeUpdate, verify_block, verify_proof
from holdfast.hypercore.tree_view import (
    InvalidRequest,
    MissingNode,
    TreeView,
    byte_offset,
    local_seek,
    missing_nodes,
    seek_hash_request,
    seek_range,
    upgradeable,
)

__all__ = [
    "InvalidRequest",
    "MissingNode",
    "StaleProof",
    "TreeUpdate",
    "TreeView",
    "block_proof",
    "byte_offset",
    "create_proof",
    "local_seek",
    "missing_nodes",
    "seek_hash_request",
    "seek_range",
    "upgradeable",
    "verify_block",
    "verify_proof",
]
