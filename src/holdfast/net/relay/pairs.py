"""The streams of a relay: two ends, a window for each direction, and when they were last used."""

from __future__ import annotations

from typing import Protocol

from holdfast.net.relay.window import Pool, Window
from holdfast.net.relay.wire import FIRST_WINDOW, Reason


class Side(Protocol):
    """What a stream needs of the client at one of its ends."""

    ends: dict[int, End]

    def carry(self, number: int, data: memoryview) -> None:
        """Pass on what came from the other end."""

    def grant(self, end: End, count: int) -> None:
        """Let the client send so much more, when its rate allows."""

    def finish(self, number: int) -> None:
        """Tell the client that the other end sends nothing more."""

    def closed(self, number: int, reason: Reason) -> None:
        """Tell the client that its stream is closed."""


class End:
    """One end of a stream: whose it is, its number there, and the window it sends by."""

    __slots__ = ("finished", "number", "pair", "side", "window")

    def __init__(self, side: Side, number: int, pair: Pair, pool: Pool) -> None:
        self.side, self.number, self.pair = side, number, pair
        self.window = Window(pool)
        self.finished = False
        """It has said that it sends nothing more."""
        side.ends[number] = self

    @property
    def other(self) -> End:
        """Where what it sends goes."""
        return self.pair.right if self.pair.left is self else self.pair.left


class Pair:
    """One stream: two ends. Made by `join`."""

    __slots__ = ("left", "moved_at", "right")
    left: End
    right: End

    def __init__(self, now: float) -> None:
        self.moved_at = now
        """When a byte last went through."""


class Pairs:
    """All streams of a relay."""

    def __init__(self, buffered: int) -> None:
        self.pool = Pool(buffered)
        self._pairs: dict[Pair, None] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def full(self) -> bool:
        """Whether the relay's memory is all given away."""
        return self.pool.free < 2 * FIRST_WINDOW

    def join(self, left: tuple[Side, int], right: tuple[Side, int], now: float) -> Pair:
        """Tie two clients together, unless `full`."""
        self.pool.taken += 2 * FIRST_WINDOW
        pair = Pair(now)
        pair.left, pair.right = End(*left, pair, self.pool), End(*right, pair, self.pool)
        self._pairs[pair] = None
        return pair

    def part(self, pair: Pair, *told: tuple[End, Reason]) -> None:
        """End a stream and tell some of its ends why. Idempotent."""
        if pair not in self._pairs:
            return
        del self._pairs[pair]
        for end in (pair.left, pair.right):
            end.window.close()
            del end.side.ends[end.number]
        for end, reason in told:
            end.side.closed(end.number, reason)

    def expire(self, before: float) -> None:
        """End the streams on which nothing has moved since ``before``."""
        for pair in [pair for pair in self._pairs if pair.moved_at < before]:
            self.part(pair, (pair.left, Reason.IDLE), (pair.right, Reason.IDLE))
