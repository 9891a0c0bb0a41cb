"""A set of whole numbers, kept as sorted ranges: what has arrived, or been acked, out of order."""

from __future__ import annotations

from bisect import bisect_right

from holdfast.encoding.spans import Spans


class RangeSet(Spans):
    """`Spans` that tell what was new in an addition, and of which some can be named."""

    __slots__ = ()

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """All ranges, the lowest first."""
        return list(self)

    def insert(self, start: int, end: int) -> list[tuple[int, int]]:
        """Put ``[start, end)`` in; the parts of it that were not there before."""
        starts, ends = self._starts, self._ends
        if ends and start == ends[-1]:  # the usual case: the next one
            ends[-1] = end
            return [(start, end)]
        first = bisect_right(ends, start - 1)  # the first range that ends at start or later
        last = first
        fresh, low = [], start
        while last < len(starts) and starts[last] <= end:
            if starts[last] > low:
                fresh.append((low, starts[last]))
            low = max(low, ends[last])
            last += 1
        if low < end:
            fresh.append((low, end))
        if first < last:
            start, end = min(start, starts[first]), max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]
        return fresh

    def drop_below(self, number: int) -> None:
        """Forget everything less than ``number``."""
        starts, ends = self._starts, self._ends
        gone = bisect_right(ends, number)
        del starts[:gone], ends[:gone]
        if starts and starts[0] < number:
            starts[0] = number

    def some(self, count: int) -> list[tuple[int, int]]:
        """At most ``count`` ranges: the lowest, which hold others up, and the highest, the news."""
        if len(self._starts) <= count:
            return self.ranges
        low = count // 2
        starts = self._starts[:low] + self._starts[low - count :]
        ends = self._ends[:low] + self._ends[low - count :]
        return list(zip(starts, ends, strict=True))
