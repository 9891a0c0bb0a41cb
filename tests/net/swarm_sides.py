"""Nodes with a swarm on this machine, and a finder that they share, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from holdfast.crypto import KeyPair, key_pair
from holdfast.net import Address, Connection, Peers
from holdfast.net.swarm.candidate import LAN, Candidate, Found
from holdfast.net.swarm.swarm import Swarm

TOPIC = b"t" * 32


class Board:
    """What everybody on one imaginary network announces: real TCP addresses of this machine."""

    def __init__(self) -> None:
        self.here: dict[bytes, dict[bytes, Candidate]] = {}
        self.listening: dict[bytes, list[Found]] = {}
        self.announcements = 0
        self.lookups = 0

    def told(self, topic: bytes, candidate: Candidate) -> None:
        self.announcements += 1
        self.here.setdefault(topic, {})[candidate.public_key] = candidate
        for found in list(self.listening.get(topic, ())):
            found(candidate)


class BoardFinder:
    """One node's eyes on a board."""

    def __init__(self, board: Board, key: bytes, addresses: Callable[[], list[Address]]) -> None:
        self.board, self.key, self.addresses = board, key, addresses
        self.closed = False

    def announce(self, topic: bytes) -> None:
        self.board.told(topic, Candidate(self.key, tuple(self.addresses()), (), LAN))

    def unannounce(self, topic: bytes) -> None:
        self.board.here.get(topic, {}).pop(self.key, None)

    def lookup(self, topic: bytes, found: Found) -> Callable[[], None]:
        self.board.lookups += 1
        for candidate in list(self.board.here.get(topic, {}).values()):
            found(candidate)
        watchers = self.board.listening.setdefault(topic, [])
        watchers.append(found)
        return lambda: watchers.remove(found) if found in watchers else None

    async def close(self) -> None:
        self.closed = True


class Side:
    """A node: connections, a swarm, and everybody who was ever handed over."""

    def __init__(self, keys: KeyPair, board: Board | None, **options: Any) -> None:
        self.keys = keys
        self.seen: list[Connection] = []
        self.peers = Peers(keys, self.seen.append)
        finders = [] if board is None else [BoardFinder(board, keys.public_key, self.addresses)]
        self.swarm = Swarm(self.peers, finders=finders, random=lambda: 0.0, **options)

    def addresses(self) -> list[Address]:
        return [each for listener in self.peers.listeners for each in listener.addresses]

    @property
    def key(self) -> bytes:
        return self.keys.public_key

    def connected(self, other: Side) -> bool:
        return self.peers.get(other.key) is not None

    async def close(self) -> None:
        await self.swarm.close()
        await self.peers.close()
        await asyncio.sleep(0)  # sockets of refused handshakes are closed in the next turn


@asynccontextmanager
async def side(
    seed: int | bytes, board: Board | None = None, *, listen: bool = True, **options: Any
) -> AsyncIterator[Side]:
    """A node that listens on a free port of this machine."""
    made = Side(key_pair(bytes([seed]) * 32 if isinstance(seed, int) else seed), board, **options)
    if listen:
        await made.peers.listen("127.0.0.1:0")
    try:
        yield made
    finally:
        await made.close()


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Let the loop run until something is true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event exists for what tests look at
            await asyncio.sleep(0.001)
