"""The messages of one replication channel, as values (hypercore.md 4.6).

Numbers are never negative and at most 2**53 - 1. ``index`` of a block counts blocks; ``index`` of a
hash is a flat-tree index. (Calling a field ``index`` hides a tuple's method of that name, which
nobody calls; hence the ignores.)
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.hypercore.tree import Node


class Handshake(NamedTuple):
    """Sent once, when the channel opens: proof of knowing the log's key."""

    seeks: bool
    """Whether the sender answers seeks."""
    capability: bytes


class Sync(NamedTuple):
    """Where the sender stands. ``remote_length`` acknowledges the receiver's length."""

    fork: int
    length: int
    remote_length: int
    can_upgrade: bool = True
    uploading: bool = True
    downloading: bool = True
    has_manifest: bool = False
    allow_push: bool = False


class RequestBlock(NamedTuple):
    """Asks for a block; the sender's nearest known tree node is ``nodes`` levels up."""

    index: int  # type: ignore[assignment]
    nodes: int = 0


class RequestHash(NamedTuple):
    """Asks for a tree node; the nearest one the sender knows is ``nodes`` levels above it."""

    index: int  # type: ignore[assignment]
    nodes: int = 0


class RequestSeek(NamedTuple):
    """Asks where a byte position lies, not counting ``padding`` bytes of each block."""

    bytes: int
    padding: int = 0


class RequestUpgrade(NamedTuple):
    """Asks for the signed tree of ``start + length`` blocks; the sender has that of ``start``."""

    start: int
    length: int


class Request(NamedTuple):
    """What the sender would like to get, and at which fork."""

    id: int
    fork: int
    block: RequestBlock | None = None
    hash: RequestHash | None = None
    seek: RequestSeek | None = None
    upgrade: RequestUpgrade | None = None
    manifest: bool = False
    priority: int = 0


class BlockData(NamedTuple):
    """A block's stored bytes and the siblings on its way up, lowest first."""

    index: int  # type: ignore[assignment]
    value: bytes | memoryview
    nodes: list[Node]


class HashData(NamedTuple):
    """A tree node followed by the siblings on its way up."""

    index: int  # type: ignore[assignment]
    nodes: list[Node]


class SeekData(NamedTuple):
    """The tree node a byte position falls into, followed by the siblings on its way up."""

    bytes: int
    nodes: list[Node]


class UpgradeData(NamedTuple):
    """The roots of a longer tree; ``additional_nodes`` lead on to the length that was signed."""

    start: int
    length: int
    nodes: list[Node]
    additional_nodes: list[Node]
    signature: bytes | None


class Data(NamedTuple):
    """An answer: what was asked for, with the tree nodes that prove it. ``manifest`` is encoded."""

    request: int
    fork: int
    block: BlockData | None = None
    hash: HashData | None = None
    seek: SeekData | None = None
    upgrade: UpgradeData | None = None
    manifest: bytes | None = None


NOT_AVAILABLE = 1
INVALID_REQUEST = 2


class NoData(NamedTuple):
    """A request not answered. ``reason``: 0 (none given), NOT_AVAILABLE or INVALID_REQUEST."""

    request: int
    reason: int


class Want(NamedTuple):
    """Asks (or, as ``unwant``, asks no longer) to be told which of these blocks the receiver holds.

    With ``any``, hearing of some of them is enough.
    """

    start: int
    length: int
    any: bool = False


class BitfieldMessage(NamedTuple):
    """Which blocks from ``start`` on are held: bit ``i % 8`` of byte ``i // 8``."""

    start: int
    bits: bytes | memoryview


class Range(NamedTuple):
    """These blocks are held, or with ``drop`` no longer held."""

    drop: bool
    start: int
    length: int


class Extension(NamedTuple):
    """A message of an extension; an empty name means the same as last time."""

    name: str
    message: bytes | memoryview
