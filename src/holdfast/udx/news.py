"""The newest word about what the other side has: many packets of a batch say it, one counts."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.udx.packet import unwrap


class News(NamedTuple):
    """What a batch of packets says about our own."""

    ack: int
    """The next number that the other side expects."""
    window: int
    """Bytes it has room for."""
    seq: int
    """The number of the packet that says so."""
    ranges: list[tuple[int, int]]
    """What it has beyond ``ack``."""


class Newest:
    """Keeps the newest ack of a batch, so that it is acted on once."""

    __slots__ = ("_news", "_ranges")

    def __init__(self) -> None:
        self._news: tuple[int, int, int] | None = None
        self._ranges: list[tuple[int, int]] = []

    def note(self, ack: int, window: int, seq: int, una: int, next_seq: int) -> None:
        """An ack as on the wire, ``seq`` already whole; nonsense and old ones do not count."""
        whole = unwrap(ack, una)
        if una <= whole <= next_seq and (self._news is None or whole >= self._news[0]):
            self._news = (whole, window, seq)

    def note_ranges(self, ranges: list[tuple[int, int]]) -> None:
        """The ranges of a packet; the last ones tell the most."""
        self._ranges = ranges

    def take(self) -> News | None:
        """What has been noted since the last call, if anything."""
        if self._news is None:
            return None
        (ack, window, seq), ranges = self._news, self._ranges
        self._news, self._ranges = None, []
        near = [(unwrap(start, ack), unwrap(end, ack)) for start, end in ranges]
        return News(ack, window, seq, near)
