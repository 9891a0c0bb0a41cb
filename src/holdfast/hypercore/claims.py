"""What the other side says it holds, and asking it to say more."""

from __future__ import annotations

from holdfast.encoding.bitfield import Bitfield
from holdfast.errors import DecodeError
from holdfast.hypercore import messages as wire
from holdfast.hypercore.port import ChannelPort, say

WANT_BATCH = 1 << 21
"""Blocks covered by one ``want``: the size every JavaScript version understands."""

MAX_BITFIELD_BYTES = WANT_BATCH // 8
"""A bitfield message covers at most one want."""

MAX_CLAIM_PAGES = 1024
"""4 KiB pages of what a peer claims to hold: room for 32 million scattered blocks."""


class Claims:
    """Blocks one peer claims to hold: everything below ``contiguous`` and some beyond.

    Nobody is believed: a claim only decides whom to ask. ``limit`` below is the longest length that
    the peer or we ourselves stand up for; memory for claims stays in proportion to it.
    """

    __slots__ = ("contiguous", "_asked", "_bits", "_doubted", "_port", "_refused")

    def __init__(self, port: ChannelPort) -> None:
        self.contiguous = 0
        self._bits = Bitfield(max_pages=MAX_CLAIM_PAGES)
        self._asked: set[int] = set()
        self._doubted = Bitfield(max_pages=MAX_CLAIM_PAGES)
        self._refused: Bitfield | None = None
        self._port = port

    def has(self, index: int) -> bool:
        """Whether the peer said that it holds a block."""
        if index >= self.contiguous and not self._bits.get(index):
            return False
        return self._refused is None or not self._refused.get(index)

    def has_all(self, start: int, end: int) -> bool:
        """Whether it said so of every block from ``start`` to ``end``."""
        start = max(start, self.contiguous)
        return start >= end or self._bits.first_unset(start) >= end

    def next_held(self, index: int) -> int:
        """First block at or after ``index`` that the peer holds, or -1."""
        while True:
            if index >= self.contiguous:
                index = self._bits.first_set(index)
            if index < 0 or self._refused is None or not self._refused.get(index):
                return index
            index = self._refused.first_unset(index)

    def ask_about(self, index: int) -> None:
        """Ask what the peer holds around a block, once; it goes on telling us of changes there."""
        batch = index // WANT_BATCH
        if index >= self.contiguous and batch not in self._asked:
            self._asked.add(batch)
            say(self._port, wire.Want(batch * WANT_BATCH, WANT_BATCH))

    def take_range(self, message: wire.Range, limit: int) -> None:
        """Blocks came or went over there. Raises `DecodeError` for claims beyond all reason."""
        drop, start, length = message
        if drop:
            if start < self.contiguous:
                self._spell_out(start, limit)
            length = min(length, max(limit - start, 0))
            for bits in (self._bits, self._doubted, self._refused):
                if bits is not None:
                    bits.set_range(start, length, False)
        elif start <= self.contiguous:
            self.contiguous = max(self.contiguous, start + length)
        else:
            self._check(start + length, limit)
            self._bits.set_range(start, length, True)

    def take_bitfield(self, message: wire.BitfieldMessage, limit: int) -> None:
        """The whole truth about some blocks. Raises `DecodeError` for claims beyond all reason."""
        start, words = message
        if len(words) > MAX_BITFIELD_BYTES or start % 8:
            raise DecodeError("A bitfield message is too long or not aligned.")
        self._check(start + 8 * len(words), limit)
        if start < self.contiguous:
            self._spell_out(start, limit)
        self._bits.set_bytes(start, words)

    def lost(self, index: int, limit: int) -> None:
        """The peer refused a block it claimed.

        Once may be bad timing. Twice, and it is not asked for that block until it says itself that
        it had dropped it: else the two would go on for ever.
        """
        if not self._doubted.set(index):
            if self._refused is None:
                self._refused = Bitfield(max_pages=MAX_CLAIM_PAGES)
            self._refused.set(index)
        if index < self.contiguous:
            self._spell_out(index, limit)
        self._bits.set_range(index, 1, False)
        batch = index // WANT_BATCH
        if batch in self._asked:  # ask anew when it matters: the answer we have is out of date
            self._asked.discard(batch)
            unwant = wire.encode_want(wire.Want(batch * WANT_BATCH, WANT_BATCH))
            self._port.send(wire.UNWANT, [unwant])

    def forget_from(self, start: int, limit: int) -> None:
        """The log was reorganised: what was said about blocks of the old fork may not hold."""
        if self.contiguous > start:
            self._spell_out(start, limit)
        for bits in (self._bits, self._doubted, self._refused):
            if bits is not None:
                bits.set_range(start, max(limit - start, 0), False)

    def ask_again(self) -> None:
        """Answers so far may be out of date, news may have been kept from us: ask when it matters.

        A peer that had heard of our old blocks leaves out news about new ones in their place
        (hypercore 10), until it hears that ours are gone.
        """
        for batch in self._asked:
            unwant = wire.encode_want(wire.Want(batch * WANT_BATCH, WANT_BATCH))
            self._port.send(wire.UNWANT, [unwant])
        self._asked.clear()

    def _spell_out(self, start: int, limit: int) -> None:
        """Turn "everything below n" into bits from ``start`` on."""
        end = min(self.contiguous, limit)
        if end > start:
            self._bits.set_range(start, end - start, True)
        self.contiguous = start

    def _check(self, end: int, limit: int) -> None:
        if end > limit + 2 * WANT_BATCH:
            raise DecodeError("The peer claims blocks far beyond its own length.")
