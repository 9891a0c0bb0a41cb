"""Logs that replicate with each other inside one process, without sockets and without a clock.

``Net`` is the whole world: virtual time, deferred calls, and wires that deliver when told to.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from holdfast.crypto import KeyPair, key_pair
from holdfast.errors import RemoteError
from holdfast.hypercore.log import Log
from holdfast.hypercore.manifest import manifest_key, single_signer
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.replicator import Replicator
from holdfast.storage import MemoryStorage

HASH = b"h" * 64


class Net:
    """Virtual time, deferred calls and wires."""

    def __init__(self, seed: int = 0, *, crowding: float = 0.0) -> None:
        """``crowding``: how often a message comes while deferred calls still wait."""
        self.now = 0.0
        self.crowding = crowding
        self.random = random.Random(seed)
        self._deferred: deque[Callable[[], None]] = deque()
        self.wires: list[Wire] = []

    def clock(self) -> float:
        return self.now

    def defer(self, callback: Callable[[], None]) -> None:
        self._deferred.append(callback)

    def run(self, rounds: int = 100_000) -> None:
        """Deliver and call until nothing is left to do."""
        for _ in range(rounds):
            ready = [wire for wire in self.wires if wire.queue and not wire.blocked]
            crowd = bool(ready) and self.crowding > 0 and self.random.random() < self.crowding
            if self._deferred and not crowd:
                self._deferred.popleft()()
                continue
            if not ready:
                return
            self.random.choice(ready).deliver()
        raise AssertionError("the logs talk for ever")


class Wire:
    """One direction of a channel; also the sender's port."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.queue: deque[tuple[int, bytes]] = deque()
        self.blocked = False
        self.drained = True
        self.receiver: Peer | None = None
        self.other: Wire | None = None
        self.mutate: Callable[[int, bytes], tuple[int, bytes]] | None = None
        self.sent = 0
        self.error: Exception | None = None
        net.wires.append(self)

    def send(self, type: int, parts: list[Any]) -> None:
        self.queue.append((type, b"".join(bytes(part) for part in parts)))
        self.sent += 1

    def close(self) -> None:
        self.net.defer(self._closed)

    def _closed(self) -> None:
        for wire in (self, self.other):
            assert wire is not None
            wire.queue.clear()
            if wire.receiver is not None:
                wire.receiver.close()

    def deliver(self) -> None:
        type, body = self.queue.popleft()
        if self.mutate is not None:
            type, body = self.mutate(type, body)
        assert self.receiver is not None
        try:
            self.receiver.receive(type, memoryview(body))
        except RemoteError as error:
            self.error = error
            self._closed()


class Node:
    """A log with its replicator."""

    def __init__(
        self,
        net: Net,
        *,
        key: bytes | None = None,
        pair: KeyPair | None = None,
        storage: MemoryStorage | None = None,
        compat: bool = False,
    ) -> None:
        self.net = net
        manifest = None
        if pair is not None:
            if compat:
                key = pair.public_key
            else:
                manifest = single_signer(pair.public_key)
                key = manifest_key(manifest)
        assert key is not None
        self.storage = storage or MemoryStorage()
        self.log = Log(self.storage.core(key), key, manifest=manifest, key_pair=pair)
        self.replicator = Replicator(self.log, clock=net.clock, defer=net.defer)

    def append(self, *blocks: bytes) -> None:
        self.log.stage(list(blocks))
        self.log.settle(self.log.commit(durable=True))

    def truncate(self, length: int) -> None:
        self.log.truncate(length)

    def fetch(self, index: int) -> list[Any]:
        """Ask for a block; the list returned fills with (value, error)."""
        out: list[Any] = []
        self.replicator.want_block(
            index, lambda value, error: out.append(error if value is None else bytes(value))
        )
        return out

    def download(self, start: int, end: int | None) -> list[Any]:
        out: list[Any] = []
        self.replicator.ranges.add(start, end, lambda error: out.append(error))
        self.replicator.pump_soon()
        return out


def writer(net: Net, seed: int = 1, **options: Any) -> Node:
    """A log of ours."""
    return Node(net, pair=key_pair(bytes([seed]) * 32), **options)


def reader(net: Net, of: Node, **options: Any) -> Node:
    """A log that starts empty and knows only the key."""
    return Node(net, key=of.log.key, **options)


def connect(net: Net, a: Node, b: Node, *, uploading: bool = True) -> tuple[Peer, Peer]:
    """Open a channel between two logs; returns a's view of b and b's view of a.

    ``uploading``: whether b gives blocks to a.
    """
    to_b, to_a = Wire(net), Wire(net)
    to_b.other, to_a.other = to_a, to_b
    at_a = Peer(
        a.replicator, to_b, initiator=True, handshake_hash=HASH, remote_public_key=b"b" * 32
    )
    at_b = Peer(
        b.replicator,
        to_a,
        initiator=False,
        handshake_hash=HASH,
        remote_public_key=b"a" * 32,
        uploading=uploading,
    )
    to_b.receiver, to_a.receiver = at_b, at_a
    shakes = at_a.handshake(), at_b.handshake()
    at_a.open(shakes[1])
    at_b.open(shakes[0])
    return at_a, at_b
