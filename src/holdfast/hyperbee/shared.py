"""What the views of one bee share, and how they tell peers what they are reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.hyperbee.cursor import Bounds, Row
from holdfast.hyperbee.fetch import Fetcher
from holdfast.hyperbee.forest import Forest

if TYPE_CHECKING:
    from holdfast.hyperbee.extension import Extension


class Shared:
    """What all views of one bee share."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self.fetcher = Fetcher(forest)
        self.extension: Extension | None = None


class Guide:
    """Tells peers which range is being read, so that they name the blocks in one answer."""

    def __init__(
        self, shared: Shared, version: int, bounds: Bounds, reverse: bool, limit: int
    ) -> None:
        self._extension = shared.extension
        self._version = version
        self._bounds = bounds
        self._reverse = reverse
        self._limit = limit
        self._credit = 0

    def ask(self, wait: bool) -> None:
        """Ask for the part of the range from here on, once for each answer's worth of entries."""
        if not wait or self._extension is None or self._credit > 0:
            return
        self._credit = self._extension.want_range(
            self._version, self._bounds, self._reverse, self._limit
        )

    def passed(self, rows: list[Row]) -> None:
        """The range was read up to the last of these rows."""
        if self._extension is None:
            return
        self._credit -= len(rows)
        if self._limit > 0:
            self._limit -= len(rows)
        last = rows[-1][1]
        if self._reverse:
            self._bounds = self._bounds._replace(high=last, high_incl=False)
        else:
            self._bounds = self._bounds._replace(low=last, low_incl=False)
