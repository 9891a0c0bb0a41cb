"""What users of the network do, as walks: look up, announce, put and get.

A node that stays is one of those that store: it looks into its own storage too, and keeps what it
announces or puts, since a small community may have no other node that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from holdfast.crypto import KeyPair, blake2b
from holdfast.dht.calls import Reply
from holdfast.dht.commands import (
    ANNOUNCE,
    FIND_PEER,
    IMMUTABLE_GET,
    IMMUTABLE_PUT,
    LOOKUP,
    MUTABLE_GET,
    MUTABLE_PUT,
    UNANNOUNCE,
)
from holdfast.dht.nat import Address
from holdfast.dht.node import Node
from holdfast.dht.packet import Frame
from holdfast.dht.query import Query
from holdfast.dht.records import (
    NS_ANNOUNCE,
    NS_UNANNOUNCE,
    Announce,
    Mutable,
    MutablePut,
    Peer,
    decode_peers,
    usable_relays,
)
from holdfast.dht.storage import LOOKUP_PEERS, Storage
from holdfast.encoding import encode_uint
from holdfast.errors import DecodeError

Done = Callable[[Query], None]


class Found(NamedTuple):
    """What one node says."""

    from_addr: Address | None
    """The node; None for our own storage."""
    peers: list[Peer]


def lookup(
    node: Node,
    storage: Storage,
    topic: bytes,
    on_found: Callable[[Found], None],
    on_done: Done | None = None,
    nodes: Iterable[Address] = (),
) -> Query:
    """Ask the nodes around a topic who has it."""
    own = [] if node.reach.ephemeral else storage.peers(topic, node.now)
    if own:
        on_found(Found(None, [Peer.decode(record)[0] for record in own]))

    def take(reply: Reply) -> None:
        peers = _peers(reply)
        if peers:
            on_found(Found(reply.from_addr, peers))

    frame = node.frame(LOOKUP, target=topic)
    return node.query(topic, frame, nodes=nodes, on_reply=take, on_done=on_done)


def _peers(reply: Reply) -> list[Peer]:
    try:
        return decode_peers(reply.value) if reply.value is not None else []
    except DecodeError:
        return []


def announce(
    node: Node,
    storage: Storage,
    topic: bytes,
    keys: KeyPair,
    relay_addresses: Iterable[Address],
    on_done: Done,
    *,
    clear: bool = False,
) -> Query:
    """Have the nodes around a topic write down that the holder of ``keys`` has it.

    ``clear``: first have everybody on the way forget what they may have from earlier.
    """
    peer = Peer(keys.public_key, usable_relays(relay_addresses))
    if not node.reach.ephemeral and blake2b(keys.public_key) != topic:
        storage.keep_peer(topic, keys.public_key, peer.encode(), "", node.now)

    def commit(reply: Reply) -> Frame | None:
        if reply.token is None or reply.from_id is None:
            return None
        said = Announce(peer).sign(keys, NS_ANNOUNCE, topic, reply.token, reply.from_id)
        node.counters.announces += 1
        return node.frame(ANNOUNCE, target=topic, token=reply.token, value=said.encode())

    frame = node.frame(LOOKUP, target=topic)
    on_reply = _forgetter(node, topic, keys) if clear else None
    return node.query(topic, frame, on_reply=on_reply, on_done=on_done, commit=commit)


def unannounce(node: Node, storage: Storage, topic: bytes, keys: KeyPair, on_done: Done) -> Query:
    """Have everybody around a topic forget that the holder of ``keys`` has it."""
    storage.forget_peer(topic, keys.public_key)

    def commit(reply: Reply) -> Frame | None:
        """Only those who have it are troubled, or who have too much to show it."""
        return _unannounce(node, topic, keys, reply)

    return node.query(topic, node.frame(LOOKUP, target=topic), on_done=on_done, commit=commit)


def _forgetter(node: Node, topic: bytes, keys: KeyPair) -> Callable[[Reply], None]:
    def take(reply: Reply) -> None:
        frame = _unannounce(node, topic, keys, reply)
        if frame is not None:
            node.launch(node.prepare(reply.packed, frame))

    return take


def _unannounce(node: Node, topic: bytes, keys: KeyPair, reply: Reply) -> Frame | None:
    if reply.token is None or reply.from_id is None:
        return None
    peers = _peers(reply)
    if len(peers) < LOOKUP_PEERS and all(peer.public_key != keys.public_key for peer in peers):
        return None
    said = Announce(Peer(keys.public_key))
    said = said.sign(keys, NS_UNANNOUNCE, topic, reply.token, reply.from_id)
    return node.frame(UNANNOUNCE, target=topic, token=reply.token, value=said.encode())


def find_peer(
    node: Node,
    storage: Storage,
    target: bytes,
    on_found: Callable[[Found], None],
    on_done: Done | None = None,
    nodes: Iterable[Address] = (),
) -> Query:
    """Ask the nodes around the hash of a key how its holder is called."""

    def take(reply: Reply) -> None:
        try:
            if reply.value is not None:
                on_found(Found(reply.from_addr, [Peer.decode(reply.value)[0]]))
        except DecodeError:
            return

    frame = node.frame(FIND_PEER, target=target)
    return node.query(target, frame, nodes=nodes, on_reply=take, on_done=on_done)


def put_immutable(node: Node, storage: Storage, value: bytes, on_done: Done) -> Query:
    """Have the nodes around the hash of a value keep it."""
    target = blake2b(value)
    if not node.reach.ephemeral:
        storage.put_immutable(value, "", node.now)
    return _put(node, target, IMMUTABLE_GET, None, IMMUTABLE_PUT, value, on_done)


def get_immutable(
    node: Node, storage: Storage, target: bytes, on_value: Callable[[bytes], None], on_done: Done
) -> Query:
    """Ask the nodes around a hash for its value; only the right one is passed on."""
    own = storage.immutable(target, node.now)
    if own is not None:
        on_value(own)

    def take(reply: Reply) -> None:
        if reply.value is not None and blake2b(reply.value) == target:
            on_value(reply.value)

    return node.query(
        target, node.frame(IMMUTABLE_GET, target=target), on_reply=take, on_done=on_done
    )


def put_mutable(node: Node, storage: Storage, put: MutablePut, on_done: Done) -> Query:
    """Have the nodes around the hash of a key keep its owner's record."""
    if not node.reach.ephemeral:
        storage.put_mutable(put, "", node.now)
    target = blake2b(put.public_key)
    return _put(node, target, MUTABLE_GET, encode_uint(0), MUTABLE_PUT, put.encode(), on_done)


def get_mutable(
    node: Node,
    storage: Storage,
    public_key: bytes,
    seq: int,
    on_record: Callable[[Mutable], None],
    on_done: Done,
) -> Query:
    """Ask for the record of a key, ``seq`` or later; only what its owner has signed counts."""
    target = blake2b(public_key)
    own = storage.mutable(target, node.now)
    if own is not None and own.seq >= seq:
        on_record(own)

    def take(reply: Reply) -> None:
        try:
            record = Mutable.decode(reply.value) if reply.value is not None else None
        except DecodeError:
            return
        if record is not None and record.seq >= seq and record.is_signed_by(public_key):
            on_record(record)

    frame = node.frame(MUTABLE_GET, target=target, value=encode_uint(seq))
    return node.query(target, frame, on_reply=take, on_done=on_done)


def _put(
    node: Node,
    target: bytes,
    asking: int,
    question: bytes | None,
    putting: int,
    value: bytes,
    on_done: Done,
) -> Query:
    def commit(reply: Reply) -> Frame | None:
        if reply.token is None:
            return None
        return node.frame(putting, target=target, token=reply.token, value=value)

    frame = node.frame(asking, target=target, value=question)
    return node.query(target, frame, on_done=on_done, commit=commit)
