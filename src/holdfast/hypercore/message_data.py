"""`Data`, the message that carries the blocks (hypercore.md 4.6, message 3)."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.encoding.varint import decode_uint, encode_uint
from holdfast.hypercore.message_parts import cut_short, decode_nodes, decode_pair, encode_nodes
from holdfast.hypercore.message_types import BlockData, Data, HashData, SeekData, UpgradeData
from holdfast.hypercore.tree import Node

_BLOCK, _HASH, _SEEK, _UPGRADE, _MANIFEST = 1, 2, 4, 8, 16

_new = tuple.__new__


def encode_block_data(
    request: int, fork: int, index: int, value: bytes | memoryview, nodes: Sequence[Node]
) -> list[bytes | memoryview]:
    """A `Data` with a block and nothing else, as buffers to be sent in order."""
    head = (
        b"\x01"
        + encode_uint(request)
        + encode_uint(fork)
        + encode_uint(index)
        + encode_uint(len(value))
    )
    return [head, value, encode_nodes(nodes)]


def encode_data(
    request: int,
    fork: int,
    proof: Data,
    value: bytes | memoryview | None = None,
    manifest: bytes | None = None,
) -> list[bytes | memoryview]:
    """The parts of ``proof`` as the answer to ``request``, as buffers to be sent in order.

    ``value`` and ``manifest`` stand in for those of ``proof``. The block itself is not copied.
    """
    _, _, block, hash, seek, upgrade, proof_manifest = proof
    manifest = proof_manifest if manifest is None else manifest
    flags = (
        (_BLOCK if block is not None else 0)
        | (_HASH if hash is not None else 0)
        | (_SEEK if seek is not None else 0)
        | (_UPGRADE if upgrade is not None else 0)
        | (_MANIFEST if manifest is not None else 0)
    )
    head = encode_uint(flags) + encode_uint(request) + encode_uint(fork)
    buffers: list[bytes | memoryview] = []
    if block is not None:
        value = block.value if value is None else value
        buffers += (head + encode_uint(block.index) + encode_uint(len(value)), value)
        head = encode_nodes(block.nodes)
    if hash is not None:
        head += encode_uint(hash.index) + encode_nodes(hash.nodes)
    if seek is not None:
        head += encode_uint(seek.bytes) + encode_nodes(seek.nodes)
    if upgrade is not None:
        head += _encode_upgrade(upgrade)
    if manifest is not None:
        head += manifest
    buffers.append(head)
    return buffers


def _encode_upgrade(upgrade: UpgradeData) -> bytes:
    signature = upgrade.signature or b""
    return b"".join(
        (
            encode_uint(upgrade.start),
            encode_uint(upgrade.length),
            encode_nodes(upgrade.nodes),
            encode_nodes(upgrade.additional_nodes),
            encode_uint(len(signature)),
            signature,
        )
    )


def decode_data(body: bytes | memoryview) -> Data:
    """Reads a `Data`; the block is a view into ``body``, everything else is copied.

    Raises `DecodeError`. A manifest is the rest of the message and is left encoded.
    """
    view = memoryview(body)
    flags, position = decode_uint(view, 0)
    request, fork, position = decode_pair(view, position)
    block = hash = seek = upgrade = manifest = None
    if flags & _BLOCK:
        index, size, position = decode_pair(view, position)
        after = position + size
        if after > len(view):
            raise cut_short()
        nodes, position_after = decode_nodes(view, after)
        block = _new(BlockData, (index, view[position:after], nodes))
        position = position_after
    if flags & ~_BLOCK:
        if flags & _HASH:
            index, position = decode_uint(view, position)
            nodes, position = decode_nodes(view, position)
            hash = HashData(index, nodes)
        if flags & _SEEK:
            target, position = decode_uint(view, position)
            nodes, position = decode_nodes(view, position)
            seek = SeekData(target, nodes)
        if flags & _UPGRADE:
            upgrade, position = _decode_upgrade(view, position)
        if flags & _MANIFEST:
            manifest = bytes(view[position:])
    return _new(Data, (request, fork, block, hash, seek, upgrade, manifest))


def _decode_upgrade(view: memoryview, position: int) -> tuple[UpgradeData, int]:
    start, length, position = decode_pair(view, position)
    nodes, position = decode_nodes(view, position)
    additional, position = decode_nodes(view, position)
    size, position = decode_uint(view, position)
    after = position + size
    if after > len(view):
        raise cut_short()
    signature = bytes(view[position:after]) or None
    return UpgradeData(start, length, nodes, additional, signature), after
