"""One walk through the network towards a target, each answer naming nodes that are nearer.

The walk always asks the nearest node it knows of next, several at a time, until the `K` nearest
that answer are known and nobody nearer is left to ask. Then, if it is a walk to store something,
each of them is asked to do so (`commit`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from holdfast.dht.calls import Call, Reply
from holdfast.dht.ids import is_sendable, key_of, may_name, node_key, pack, split
from holdfast.dht.nat import Address
from holdfast.dht.packet import Frame
from holdfast.dht.table import K
from holdfast.errors import UnavailableError

if TYPE_CHECKING:
    from holdfast.dht.node import Node

CONCURRENCY = 10
"""Nodes asked at the same time, as in the peers."""
MOST_VISITS = 320
"""Nodes asked in one walk: a walk among 20 million honest ones takes fewer than 100. It bounds what
nodes that name ever nearer neighbours can make us do."""
GIVE_UP = 2
"""A walk that has `K` answers waits for a silent node until it was asked as often."""
MOST_HINTS = 64
"""Words of one walk to those who named somebody that is down."""
MOST_KNOWN = 4096
"""Nodes remembered in one walk."""

Commit = Callable[[Reply], "Frame | None"]
"""Makes the request that stores something at one of the nearest nodes; None to leave it out."""


class Query:
    """A walk; made and started by `Node.query`."""

    def __init__(
        self,
        node: Node,
        target: bytes,
        frame: Frame,
        *,
        nodes: Iterable[Address] = (),
        concurrency: int = CONCURRENCY,
        on_reply: Callable[[Reply], None] | None = None,
        on_done: Callable[[Query], None] | None = None,
        commit: Commit | None = None,
    ) -> None:
        self.target = target
        self.replies = 0
        """Nodes that have answered."""
        self.timeouts = 0
        """Nodes that have not."""
        self.hops = 0
        """How many nodes in a row were needed to hear of the farthest one that answered."""
        self.committed: list[Reply] = []
        """What the nearest nodes said to `commit`."""
        self.done = False
        """It has come to its end."""
        self.cancelled = False
        self._node = node
        self._key = key_of(target)
        self._frame = frame
        self._nodes = nodes
        self._concurrency = concurrency
        self._on_reply = on_reply
        self._on_done = on_done
        self._commit = commit
        self._closest: list[Reply] = []
        self._distances: list[int] = []
        self._pending: list[tuple[int, int, bytes]] = []
        self._known: set[bytes] = set()
        self._named: dict[bytes, bytes] = {}
        """Whom each node named."""
        self._calls: dict[Call, None] = {}
        self._slow = self._given_up = 0
        """Calls that were waited for longer than is usual: once, and twice."""
        self._visits = self._hints = 0
        self._committing = False

    @property
    def closest(self) -> list[Reply]:
        """Answers of the nearest nodes that are there to stay, the nearest first."""
        return self._closest

    def start(self) -> None:
        """Begin: with the nodes given, those of the routing table, and bootstrap nodes if few."""
        for address in self._nodes:
            try:
                self._hear_of(pack(address), 1)
            except (ValueError, OverflowError):
                continue  # not an address on IPv4
        if len(self._pending) < K:
            for contact in self._node.table.closest(self._key, K - len(self._pending)):
                self._hear_of(contact.packed, 1)
        if len(self._pending) < K:
            for packed in self._node.bootstrap:
                self._hear_of(packed, 1)
        self._go_on()

    def cancel(self) -> None:
        """Stop; ``on_done`` is not called."""
        self.cancelled = True
        for call in list(self._calls):
            self._node.cancel(call)
        self._calls.clear()
        self._node.forget(self)

    def _hear_of(self, packed: bytes, depth: int) -> None:
        known = self._known
        if packed not in known and len(known) < MOST_KNOWN and is_sendable(packed):
            known.add(packed)
            heappush(self._pending, (node_key(packed) ^ self._key, depth, packed))

    def _go_on(self) -> None:
        pending, calls = self._pending, self._calls
        while pending and len(calls) - self._slow < self._concurrency:
            distance, depth, packed = heappop(pending)
            if len(self._distances) >= K and distance > self._distances[-1]:
                pending.clear()
                break
            if self._visits >= MOST_VISITS or not self._visit(packed, depth):
                pending.clear()
                break
        enough = not calls or len(self._closest) >= K
        if enough and not pending and self._given_up == len(calls) and not self._committing:
            self._arrive()

    def _visit(self, packed: bytes, depth: int) -> bool:
        self._visits += 1
        node = self._node
        try:
            call = Call(packed, self._frame, node.calls.tid(), node.socket)
        except UnavailableError:
            return False
        call.on_done, call.on_slow, call.depth = self._on_answer, self._on_wait, depth
        self._calls[call] = None
        node.calls.start(call, node.now)
        return True

    def _on_wait(self, call: Call) -> None:
        self._slow += call.lates == 1
        self._given_up += call.lates == GIVE_UP
        self._go_on()

    def _on_answer(self, call: Call, reply: Reply | None) -> None:
        del self._calls[call]
        self._slow -= call.lates >= 1
        self._given_up -= call.lates >= GIVE_UP
        if reply is None:
            self.timeouts += 1
            self._is_down(call.packed)
        else:
            self._take(call, reply)
        if not self.cancelled:
            self._go_on()

    def _take(self, call: Call, reply: Reply) -> None:
        if reply.closer:
            self._named[call.packed] = reply.closer
            self._hear_all(call, reply.closer)
        if reply.error:
            return
        self.replies += 1
        self.hops = max(self.hops, call.depth)
        if reply.from_id is not None:
            self._rank(reply)
        if self._on_reply is not None:
            self._on_reply(reply)

    def _hear_all(self, call: Call, closer: bytes) -> None:
        full = len(self._distances) >= K
        farthest = self._distances[-1] if full else 0
        known, own, depth = self._known, self._node.reach.packed, call.depth + 1
        for packed in {*split(closer)} - known:
            if packed == own or len(known) >= MOST_KNOWN or not may_name(call.packed, packed):
                continue
            distance = node_key(packed) ^ self._key
            if not full or distance < farthest:
                known.add(packed)
                heappush(self._pending, (distance, depth, packed))

    def _rank(self, reply: Reply) -> None:
        distance = node_key(reply.packed) ^ self._key
        at = bisect_left(self._distances, distance)
        if at < K and (at == len(self._distances) or self._distances[at] != distance):
            self._distances.insert(at, distance)
            self._closest.insert(at, reply)
            if len(self._closest) > K:
                self._distances.pop()
                self._closest.pop()

    def _is_down(self, packed: bytes) -> None:
        """Those who named it may want to know."""
        for teller, named in self._named.items():
            if self._hints < MOST_HINTS and packed in split(named):
                self._hints += 1
                self._node.tell_down(teller, packed)

    def _arrive(self) -> None:
        """Whom it still waits for is late; that it is gone is worth knowing, not waiting for."""
        self._committing = True
        for call in self._calls:
            call.on_slow, call.on_done = None, self._on_straggler
        self._calls.clear()
        if self._commit is not None:
            for reply in self._closest:
                self._store_at(reply, self._commit)
        self._settle()

    def _on_straggler(self, call: Call, reply: Reply | None) -> None:
        if reply is None:
            self._is_down(call.packed)

    def _store_at(self, reply: Reply, commit: Commit) -> None:
        frame = commit(reply)
        if frame is None:
            return
        try:
            call = self._node.prepare(reply.packed, frame)
        except UnavailableError:
            return
        call.on_done = self._on_stored
        self._calls[call] = None
        self._node.launch(call)

    def _on_stored(self, call: Call, reply: Reply | None) -> None:
        del self._calls[call]
        if reply is not None:
            self.committed.append(reply)
        self._settle()

    def _settle(self) -> None:
        if not self._calls and not self.done and not self.cancelled:
            self.done = True
            self._node.forget(self)
            if self._on_done is not None:
                self._on_done(self)
