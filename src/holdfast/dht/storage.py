"""What a node that stays keeps for others: who has what, and small signed records, for a while.

Nothing is kept without a token (who stores has shown its address) and, except for values that are
named by their hash, without the owner's signature. Each source has its share of the room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast.crypto import blake2b
from holdfast.dht.commands import (
    ANNOUNCE,
    FIND_PEER,
    IMMUTABLE_GET,
    IMMUTABLE_PUT,
    LOOKUP,
    MUTABLE_GET,
    MUTABLE_PUT,
    SEQ_REUSED,
    SEQ_TOO_LOW,
    TOO_LARGE,
    UNANNOUNCE,
    UNKNOWN_COMMAND,
)
from holdfast.dht.expiring import Expiring
from holdfast.dht.records import (
    NS_ANNOUNCE,
    NS_UNANNOUNCE,
    Announce,
    Mutable,
    MutablePut,
    Peer,
    encode_peers,
    usable_relays,
)
from holdfast.dht.request import Request
from holdfast.dht.router import Router
from holdfast.encoding import decode_uint
from holdfast.errors import DecodeError

MAX_STORED = 1200
"""Bytes of a stored value with its signature: an answer with 20 nodes still fits a datagram."""
MAX_VALUE = 1000
"""Bytes of a value that we put: `MAX_STORED` less key, number and signature, rounded down."""
LOOKUP_PEERS = 20
"""Peers in one answer, as in the peers: with three addresses each they take 1020 bytes."""
TOPIC_PEERS = 128
"""Peers kept under one topic: answers show 20 of them, and other nodes have others."""
MOST_RECORDS = 16384
MOST_RECORD_BYTES = 2 << 20
"""Announcements kept in all (about 6 MB with what Python needs around them)."""
RECORD_AGE = 20 * 60.0
"""Seconds that an announcement lasts, as in the peers; they repeat it every 10 minutes."""
MOST_VALUES = 8192
MOST_VALUE_BYTES = 8 << 20
"""Mutable, and immutable, records kept in all."""
VALUE_AGE = 48 * 3600.0
"""Seconds that they last, as in the peers."""
SHARE = 512
"""Of each of these for one source: a whole office, and still room for many others."""


class _Refresh(NamedTuple):
    target: bytes
    record: bytes


def _records(on_gone: Callable[[Any], None] | None = None) -> Expiring[Any]:
    return Expiring(
        seconds=RECORD_AGE,
        most=MOST_RECORDS,
        most_bytes=MOST_RECORD_BYTES,
        most_of_one=SHARE,
        on_gone=on_gone,
    )


def _values() -> Expiring[Any]:
    return Expiring(
        seconds=VALUE_AGE, most=MOST_VALUES, most_bytes=MOST_VALUE_BYTES, most_of_one=SHARE
    )


class Storage:
    """Answers the storing commands of one node."""

    def __init__(self, router: Router, random: Callable[[int], bytes]) -> None:
        """``router`` takes those who announce themselves, to be called through this node."""
        self._router = router
        self._random = random
        self._records: Expiring[bytes] = _records(self._gone)
        self._topics: dict[bytes, dict[bytes, None]] = {}
        self._refreshes: Expiring[_Refresh] = _records()
        self._mutable: Expiring[Mutable] = _values()
        self._immutable: Expiring[bytes] = _values()
        self.handlers: dict[int, Callable[[Request], None]] = {
            FIND_PEER: self._on_find_peer,
            LOOKUP: self._on_lookup,
            ANNOUNCE: self._on_announce,
            UNANNOUNCE: self._on_unannounce,
            MUTABLE_PUT: self._on_mutable_put,
            MUTABLE_GET: self._on_mutable_get,
            IMMUTABLE_PUT: self._on_immutable_put,
            IMMUTABLE_GET: self._on_immutable_get,
        }

    def answer(self, request: Request) -> None:
        """Answer a request, unless this node does not stay: then it must not be stored with."""
        if request.node.reach.ephemeral:
            request.reply(error=UNKNOWN_COMMAND, token=False)
            return
        try:
            self.handlers[request.command](request)
        except DecodeError:
            return  # as the peers: no answer to what is no question

    @property
    def sizes(self) -> dict[str, int]:
        """How much is kept."""
        return {
            "records": len(self._records),
            "mutable": len(self._mutable),
            "immutable": len(self._immutable),
            "bytes": self._records.bytes + self._mutable.bytes + self._immutable.bytes,
        }

    # ---------------------------------------------------------------- who has what

    def peers(self, target: bytes, now: float) -> list[bytes]:
        """Records under a topic, at most as many as fit in an answer; not always the same ones."""
        self._records.expire(now)
        found = []
        for key in self._topics.get(target, ()):
            record = self._records.get((target, key), now)
            if record is not None:
                found.append(record)
        if len(found) > LOOKUP_PEERS:
            first = int.from_bytes(self._random(2), "little") % len(found)
            found = (found + found)[first : first + LOOKUP_PEERS]
        forward = self._router.get(target, now)
        if forward is not None and len(found) < LOOKUP_PEERS:
            found.append(forward.record)
        return found

    def keep_peer(self, target: bytes, key: bytes, record: bytes, source: str, now: float) -> None:
        """Write down that the holder of a key has what a topic stands for."""
        topic = self._topics.get(target, {})
        if key not in topic and len(topic) >= TOPIC_PEERS:
            self._records.remove((target, next(iter(topic))))
        self._records.put((target, key), record, len(record) + 64, source, now)
        self._topics.setdefault(target, {})[key] = None

    def forget_peer(self, target: bytes, key: bytes) -> None:
        """Take it back."""
        if blake2b(key) == target:
            self._router.delete(target)
        self._records.remove((target, key))

    def _gone(self, place: tuple[bytes, bytes]) -> None:
        """A record is not kept any more."""
        target, key = place
        topic = self._topics.get(target)
        if topic is not None:
            topic.pop(key, None)
            if not topic:
                del self._topics[target]

    def _on_find_peer(self, request: Request) -> None:
        if request.target is not None:
            forward = self._router.get(request.target, request.now)
            request.reply(forward.record if forward is not None else None)

    def _on_lookup(self, request: Request) -> None:
        if request.target is not None:
            found = self.peers(request.target, request.now)
            request.reply(encode_peers(found) if found else None)

    def _on_announce(self, request: Request) -> None:
        target, token, value = request.target, request.token, request.value
        node_id = request.own_id
        if target is None or token is None or value is None or node_id is None:
            return
        said = Announce.decode(value)
        if said.peer is None:
            if said.refresh is not None:
                self._on_refresh(said.refresh, request)
            return
        if not said.is_signed(NS_ANNOUNCE, target, token, node_id):
            return
        record = Peer(said.peer.public_key, usable_relays(said.peer.relay_addresses)).encode()
        self._keep(target, record, request)
        if said.refresh is not None:
            kept = _Refresh(target, record)
            source = request.from_addr[0]
            self._refreshes.put(said.refresh, kept, len(record) + 96, source, request.now)
        request.reply(token=False, closer_nodes=False)

    def _keep(self, target: bytes, record: bytes, request: Request) -> None:
        key, source = record[:32], request.from_addr
        if blake2b(key) == target:
            self._router.set(target, source, record, request.now)
            self._records.remove((target, key))
        else:
            self.keep_peer(target, key, record, source[0], request.now)

    def _on_refresh(self, secret: bytes, request: Request) -> None:
        """Who shows what a hash is of goes on; the secret is the hash for the next time."""
        kept = self._refreshes.get(blake2b(secret), request.now)
        if kept is None or kept.target != request.target:
            return
        self._refreshes.remove(blake2b(secret))
        size, source = len(kept.record) + 96, request.from_addr[0]
        self._refreshes.put(secret, kept, size, source, request.now)
        self._keep(kept.target, kept.record, request)
        request.reply(token=False, closer_nodes=False)

    def _on_unannounce(self, request: Request) -> None:
        target, token, value = request.target, request.token, request.value
        node_id = request.own_id
        if target is None or token is None or value is None or node_id is None:
            return
        said = Announce.decode(value)
        if said.peer is not None and said.is_signed(NS_UNANNOUNCE, target, token, node_id):
            self.forget_peer(target, said.peer.public_key)
            request.reply(token=False, closer_nodes=False)

    # ---------------------------------------------------------------- records

    def mutable(self, target: bytes, now: float) -> Mutable | None:
        """The record of the owner whose key has the hash ``target``."""
        return self._mutable.get(target, now)

    def immutable(self, target: bytes, now: float) -> bytes | None:
        """The value with the hash ``target``."""
        return self._immutable.get(target, now)

    def put_mutable(self, put: MutablePut, source: str, now: float) -> int:
        """Keep a record whose signature was checked; returns the error, or 0."""
        target, new = blake2b(put.public_key), put.record
        old = self._mutable.get(target, now)
        if old is not None and new.seq < old.seq:
            return SEQ_TOO_LOW
        if old is not None and new.seq == old.seq and new.value != old.value:
            return SEQ_REUSED
        self._mutable.put(target, new, len(new.value) + 72, source, now)
        return 0

    def put_immutable(self, value: bytes, source: str, now: float) -> bytes:
        """Keep a value; returns its hash."""
        target = blake2b(value)
        self._immutable.put(target, value, len(value), source, now)
        return target

    def _on_mutable_get(self, request: Request) -> None:
        if request.target is None or request.value is None:
            return
        wanted, _ = decode_uint(request.value, 0)
        record = self.mutable(request.target, request.now)
        request.reply(record.encode() if record is not None and record.seq >= wanted else None)

    def _on_mutable_put(self, request: Request) -> None:
        target, value = request.target, request.value
        if target is None or request.token is None or value is None:
            return
        if len(value) > MAX_STORED:
            request.reply(error=TOO_LARGE)
            return
        put = MutablePut.decode(value)
        if blake2b(put.public_key) != target or not put.record.value:
            return
        if put.record.is_signed_by(put.public_key):
            error = self.put_mutable(put, request.from_addr[0], request.now)
            request.reply(error=error, token=not error)

    def _on_immutable_get(self, request: Request) -> None:
        if request.target is not None:
            request.reply(self.immutable(request.target, request.now))

    def _on_immutable_put(self, request: Request) -> None:
        target, value = request.target, request.value
        if target is None or request.token is None or value is None:
            return
        if len(value) > MAX_STORED:
            request.reply(error=TOO_LARGE)
        elif blake2b(value) == target:
            self.put_immutable(value, request.from_addr[0], request.now)
            request.reply()
