"""Blocks whose bytes this process has just hashed.

A block is hashed when it is written, received or first read. To serve it again soon after, hashing
it once more finds nothing: it comes from the same memory, and whoever receives it checks it anyway.
(It is a third of the processor time of serving 64 KiB blocks.) What is read for ourselves is always
checked.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.encoding.bitfield import Bitfield

KEEP = 600.0
"""Seconds after which everything counts as unchecked again: the disk may be read anew by then."""


class RecentlyChecked:
    """Which blocks of one log need no hashing before they are served."""

    __slots__ = ("_blocks", "_clock", "_since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._blocks = Bitfield()
        self._since = clock()

    def note(self, start: int, count: int, checked: bool) -> None:
        """These blocks have been hashed, or (``checked`` False) are gone or replaced."""
        self._forget_old()
        self._blocks.set_range(start, count, checked)

    def covers(self, index: int) -> bool:
        """Whether the block was hashed here a short while ago."""
        self._forget_old()
        return self._blocks.get(index)

    def _forget_old(self) -> None:
        now = self._clock()
        if now - self._since > KEEP:
            self._blocks, self._since = Bitfield(), now
