"""Blocks that came or went in this turn, put together before peers hear of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter


class News:
    """Ranges of blocks that arrived or were dropped, in order, merged as far as they touch."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, bool]] = []

    def add(self, start: int, count: int, dropped: bool) -> None:
        """Note ``count`` blocks from ``start``."""
        ranges = self._ranges
        if ranges:
            last_start, last_count, last_dropped = ranges[-1]
            if last_start + last_count == start and last_dropped is dropped:
                ranges[-1] = (last_start, last_count + count, dropped)
                return
        ranges.append((start, count, dropped))

    def take(self) -> list[tuple[int, int, bool]]:
        """All of it as (start, count, dropped); what is dropped and what came keep their order."""
        ranges, self._ranges = self._ranges, []
        if len(ranges) < 2:
            return ranges
        return [
            (start, count, dropped)
            for dropped, group in groupby(ranges, key=itemgetter(2))
            for start, count in _merged(sorted((start, count) for start, count, _ in group))
        ]


def _merged(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start, end = ranges[0][0], ranges[0][0]
    for at, count in ranges:
        if at > end:
            yield start, end - start
            start = at
        end = max(end, at + count)
    yield start, end - start
