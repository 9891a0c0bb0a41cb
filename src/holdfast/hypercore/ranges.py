"""Ranges of blocks that are being fetched, and which block of them to ask a peer for next."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from holdfast.hypercore.requests import RangeDone, WantedRange

if TYPE_CHECKING:
    from holdfast.hypercore.log import Log
    from holdfast.hypercore.peer import Peer


class RangeQueue:
    """Ranges in the order they were asked for; each peer walks each once, skipping what is here."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._ranges: list[WantedRange] = []

    def add(self, start: int, end: int | None, done: RangeDone) -> WantedRange | None:
        """Begin a range; None (and ``done(None)``) when everything in it is already here."""
        range = WantedRange(start, end, done)
        range.remaining = self._count_missing(range)
        if end is not None and range.remaining == 0:
            done(None)
            return None
        self._ranges.append(range)
        return range

    def remove(self, range: WantedRange) -> None:
        """Stop fetching a range."""
        if range in self._ranges:
            self._ranges.remove(range)

    def _count_missing(self, range: WantedRange) -> int:
        end = range.end if range.end is not None else self._log.local.length
        if end <= range.start:
            return 0
        return end - range.start - self._log.bitfield.count(range.start, end)

    def next_for(self, peer: Peer, in_flight: Container[int]) -> int:
        """The next block to ask this peer for, or -1."""
        log = self._log
        bits, claims = log.bitfield, peer.claims
        limit = log.local.length
        if not peer.can_upgrade and peer.remote.length < limit:
            limit = peer.remote.length
        for range in self._ranges:
            end = limit if range.end is None or range.end > limit else range.end
            index = range.cursors.get(peer, range.start)
            while index < end:
                if bits.get(index):
                    index = bits.first_unset(index)
                    continue
                if not claims.has(index):
                    claims.ask_about(index)
                    held = claims.next_held(index)
                    if held < 0:
                        index = end
                        break
                    index = held
                    continue
                if index in in_flight:
                    index += 1
                    continue
                range.cursors[peer] = index + 1
                return index
            range.cursors[peer] = min(index, end)
        return -1

    def arrived(self, index: int) -> list[WantedRange]:
        """A block of the log is here now; returns the ranges it completes."""
        finished = []
        for range in self._ranges:
            if range.start <= index and (range.end is None or index < range.end):
                range.remaining -= 1
                if range.remaining <= 0 and range.end is not None:
                    finished.append(range)
        for range in finished:
            self._ranges.remove(range)
        return finished

    def covers(self, index: int) -> bool:
        """Whether some range still wants this block."""
        return any(r.start <= index and (r.end is None or index < r.end) for r in self._ranges)

    def peer_changed(self, peer: Peer) -> None:
        """A peer holds more (or less) than before, or is gone: walk its ranges again."""
        for range in self._ranges:
            range.cursors.pop(peer, None)

    def head_changed(self) -> None:
        """The log grew, shrank or was reorganised: count again."""
        for range in list(self._ranges):
            range.cursors.clear()
            range.remaining = self._count_missing(range)
            if range.end is not None and range.remaining == 0:
                self._ranges.remove(range)
                range.done(None)

    def drain(self) -> list[WantedRange]:
        """Take all ranges out."""
        ranges, self._ranges = self._ranges, []
        return ranges
