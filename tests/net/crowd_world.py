"""Many crowds in virtual time: their dials take time, meet limits, and find some peers gone."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random

from holdfast.net.swarm.candidate import Candidate
from holdfast.net.swarm.crowd import Crowd
from holdfast.net.swarm.known import SwarmLimits

TOPIC = b"t" * 32
LOOKUP_EVERY = 120.0
STALE = 300.0
"""Seconds for which the directory still names somebody who is gone."""


class Node:
    def __init__(self, world: World, key: bytes) -> None:
        self.world, self.key, self.alive = world, key, True
        self.crowd = Crowd(key, world.limits, random=world.chance.random)
        self.crowd.join(TOPIC)
        self.links: set[bytes] = set()
        self.dials = 0
        self.timer = -1.0

    def look(self) -> None:
        if not self.alive:
            return
        for key in self.world.listed():
            self.crowd.found(Candidate(key), TOPIC, self.world.now)
        if not self.links:
            self.crowd.again(TOPIC, self.world.now)
        self.pump()
        self.world.at(LOOKUP_EVERY * (0.5 + self.world.chance.random()), self.look)

    def pump(self) -> None:
        if not self.alive:
            return
        now = self.world.now
        for peer in self.crowd.to_dial(now):
            self.crowd.began(peer.key)
            self.dials += 1
            target = peer.key
            self.world.at(self.world.delay(target), lambda target=target: self.dialled(target))
        due = self.crowd.deadline(now)
        if due is not None and not now < self.timer <= due:
            self.timer = due
            self.world.at(due - now, self.pump)

    def dialled(self, target: bytes) -> None:
        if not self.alive:
            return
        other = self.world.nodes.get(target)
        now = self.world.now
        if target in self.links:
            pass
        elif other is not None and other.alive and other.crowd.may_take(self.key, now):
            self.opened(target)
            other.opened(self.key)
        else:
            self.crowd.failed(target, now)
        self.pump()

    def opened(self, key: bytes) -> None:
        self.links.add(key)
        self.crowd.opened(key, self.world.now)
        self.world.at(0.0, self.trim)

    def trim(self) -> None:
        for key in self.crowd.to_drop():
            self.closed(key, pause=60.0)
            self.world.nodes[key].closed(self.key)
        self.pump()

    def closed(self, key: bytes, pause: float = 0.0) -> None:
        if key in self.links:
            self.links.discard(key)
            self.crowd.closed(key, self.world.now, pause=pause)
            self.pump()


class World:
    def __init__(self, seed: int, limits: SwarmLimits) -> None:
        self.chance, self.limits, self.now = Random(seed), limits, 0.0
        self.nodes: dict[bytes, Node] = {}
        self.gone: dict[bytes, float] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = end

    def delay(self, target: bytes) -> float:
        """A dial of somebody who is gone takes longer."""
        return self.chance.uniform(0.05, 0.5) if target in self.nodes else 5.0

    def listed(self) -> list[bytes]:
        stale = [key for key, at in self.gone.items() if self.now - at < STALE]
        everybody = [*self.nodes, *stale]
        return self.chance.sample(everybody, len(everybody))

    def come(self) -> None:
        node = Node(self, self.chance.randbytes(32))
        self.nodes[node.key] = node
        self.at(0.0, node.look)

    def leave(self) -> None:
        node = self.nodes.pop(self.chance.choice(list(self.nodes)))
        node.alive = False
        self.gone[node.key] = self.now
        for key in node.links:
            self.nodes[key].closed(node.key)

    def groups(self) -> int:
        """Into how many parts the graph falls."""
        unseen, count = set(self.nodes), 0
        while unseen:
            count += 1
            edge = [unseen.pop()]
            while edge:
                for key in self.nodes[edge.pop()].links & unseen:
                    unseen.discard(key)
                    edge.append(key)
        return count
