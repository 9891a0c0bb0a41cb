"""Answers with large blocks, set aside until the end of a turn to be hashed on two processors.

What one turn of the loop brings arrives together: sixteen blocks of 64 KiB on a fast line. Hashing
them is half of what receiving costs, and two processors do it in little more than half the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from holdfast.hypercore.message_types import Data
from holdfast.hypercore.requests import Sent
from holdfast.hypercore.tree import leaf_hashes

LARGE = 16 * 1024
"""Bytes of a block from which it is worth setting aside."""
MAX_WAITING = 1024 * 1024
"""Bytes of blocks set aside for one peer at most."""

Take = Callable[[Sent, Data, bytes | None], None]


class Late:
    """The answers of one peer that are set aside; ``take(sent, data, leaf_hash)`` gets them.

    They are handed on in the order they came, at the latest with `settle`.
    """

    __slots__ = ("_bytes", "_take", "_waiting")

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: deque[tuple[Sent, Data]] = deque()
        self._bytes = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is set aside."""
        return not self._waiting

    def add(self, sent: Sent, data: Data) -> None:
        """Take an answer now, or set it aside until `settle` if its block is large."""
        block = data.block
        size = len(block.value) if block is not None else 0
        if size < LARGE or data.upgrade is not None or data.hash is not None:
            self.settle()
            self._take(sent, data, None)
            return
        self._waiting.append((sent, data))
        self._bytes += size
        if self._bytes >= MAX_WAITING:
            self.settle()

    def settle(self) -> None:
        """Hand on everything that is set aside."""
        self._bytes = 0
        blocks = [data.block.value for _, data in self._waiting if data.block is not None]
        hashes = leaf_hashes(blocks)
        while self._waiting:
            sent, data = self._waiting.popleft()
            self._take(sent, data, next(hashes, None))
