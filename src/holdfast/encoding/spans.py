"""Sorted, separate ranges of whole numbers: "all of this and all of that" in a few numbers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Spans:
    """A set of numbers kept as half-open ranges that neither overlap nor touch."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        """How many separate ranges there are (what the set costs in memory)."""
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges ``(start, end)``, ascending."""
        return zip(self._starts, self._ends, strict=True)

    def __contains__(self, number: int) -> bool:
        return self.end_of(number) >= 0

    def end_of(self, number: int) -> int:
        """The end of the range that holds ``number``, or -1 when none does."""
        index = bisect_right(self._starts, number) - 1
        return self._ends[index] if index >= 0 and number < self._ends[index] else -1

    def add(self, start: int, end: int) -> None:
        """Put ``[start, end)`` in, joining what it touches."""
        low, high = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take ``[start, end)`` out, cutting what it touches."""
        low, high = bisect_right(self._ends, start), bisect_left(self._starts, end)
        if low >= high:
            return
        before = [self._starts[low]] if self._starts[low] < start else []
        after = [self._ends[high - 1]] if self._ends[high - 1] > end else []
        self._starts[low:high] = before + [end] * len(after)
        self._ends[low:high] = [start] * len(before) + after

    def overlap(self, start: int, end: int) -> int:
        """How many numbers of ``[start, end)`` are in the set."""
        total = 0
        index = bisect_right(self._ends, start)
        while start < end and index < len(self._starts) and self._starts[index] < end:
            total += min(end, self._ends[index]) - max(start, self._starts[index])
            index += 1
        return total

    def next(self, number: int) -> int:
        """The first member at ``number`` or later, or -1."""
        index = bisect_right(self._ends, number)
        return max(number, self._starts[index]) if index < len(self._starts) else -1

    def previous(self, number: int) -> int:
        """The last member at ``number`` or earlier, or -1."""
        index = bisect_right(self._starts, number) - 1
        return min(number, self._ends[index] - 1) if index >= 0 else -1
