"""Which blocks of a log are held: bits by block index, 0 to 2^53, in memory that fits what is set.

Bits live in pages of `PAGE_BITS`, least significant bit first. A page that is neither empty nor
full is a bytearray; stretches of full pages are kept as spans, so that "everything" costs nothing;
empty pages are not kept at all. A peer that scatters its claims is stopped by ``max_pages``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from holdfast.encoding import bitpage
from holdfast.encoding.spans import Spans
from holdfast.encoding.varint import Buffer
from holdfast.errors import DecodeError

PAGE_BITS = 32768
PAGE_BYTES = PAGE_BITS // 8
_SHIFT = 15
_MASK = PAGE_BITS - 1
_EMPTY = bytes(PAGE_BYTES)
_FULL = b"\xff" * PAGE_BYTES


class Bitfield:
    """A sparse set of bit indices with fast ranges."""

    __slots__ = ("_dirty", "_full", "_max_pages", "_order", "_pages", "_solid")

    def __init__(self, *, max_pages: int | None = None, track_dirty: bool = False) -> None:
        """``max_pages`` bounds the memory: partial pages (4 KiB each) plus stretches of full ones.

        With ``track_dirty`` the pages that changed are remembered for `take_dirty`. That is for
        fields whose extent is our own: a stretch of full pages is remembered page by page.
        """
        self._pages: dict[int, bytearray] = {}
        self._order: list[int] = []  # the keys of _pages, sorted
        self._full = Spans()  # of page numbers, none of them in _pages
        self._solid = 0  # every bit before this one is set (a shortcut, in whole pages)
        self._max_pages = max_pages
        self._dirty: set[int] | None = set() if track_dirty else None

    # ------------------------------------------------------------ one bit

    def get(self, index: int) -> bool:
        """Whether bit ``index`` is set."""
        if 0 <= index < self._solid:
            return True
        page = self._pages.get(index >> _SHIFT)
        if page is None:
            return index >> _SHIFT in self._full
        bit = index & _MASK
        return page[bit >> 3] >> (bit & 7) & 1 == 1

    def set(self, index: int, value: bool = True) -> bool:
        """Set or clear one bit; returns whether it changed."""
        if index < 0:
            raise ValueError("a bit index is not negative")
        page = self._pages.get(index >> _SHIFT)
        bit = index & _MASK
        if page is None:
            return self._set_in_page(index >> _SHIFT, bit, bit + 1, value) == 1
        mask = 1 << (bit & 7)
        old = page[bit >> 3]
        if (old & mask != 0) == value:
            return False
        page[bit >> 3] = old ^ mask
        self._settle(index >> _SHIFT, page)
        return True

    # ------------------------------------------------------------ ranges

    def set_range(self, start: int, count: int, value: bool = True) -> int:
        """Set or clear ``count`` bits from ``start``; returns how many changed."""
        if start < 0 or count < 0:
            raise ValueError("a range starts at 0 or later and is not negative")
        if count <= 1:
            return int(count == 1 and self.set(start, value))
        end = start + count
        first, last = start >> _SHIFT, (end - 1) >> _SHIFT
        if first == last:
            return self._set_in_page(first, start & _MASK, ((end - 1) & _MASK) + 1, value)
        changed = 0
        if start & _MASK:
            changed += self._set_in_page(first, start & _MASK, PAGE_BITS, value)
            first += 1
        if end & _MASK:
            changed += self._set_in_page(last, 0, end & _MASK, value)
            last -= 1
        if first <= last:
            changed += self._set_pages(first, last + 1, value)
        return changed

    def count(self, start: int, end: int) -> int:
        """How many bits are set in ``[start, end)``."""
        if start >= end:
            return 0
        first, last = start >> _SHIFT, (end - 1) >> _SHIFT
        if first == last:
            return self._count_in_page(first, start & _MASK, ((end - 1) & _MASK) + 1)
        total = self._count_in_page(first, start & _MASK, PAGE_BITS)
        total += self._count_in_page(last, 0, ((end - 1) & _MASK) + 1)
        return total + self._count_pages(first + 1, last)

    # ------------------------------------------------------------ searches

    def first_set(self, start: int = 0, end: int | None = None) -> int:
        """The first set bit in ``[start, end)``, or -1."""
        number, bit = start >> _SHIFT, start & _MASK
        while number >= 0 and (end is None or number << _SHIFT < end):
            page = self._pages.get(number)
            if page is not None:
                found = bitpage.first_one(page, bit)
                if found >= 0:
                    return _before((number << _SHIFT) + found, end)
            elif number in self._full:
                return _before((number << _SHIFT) + bit, end)
            number, bit = self._next_page(number + 1), 0
        return -1

    def first_unset(self, start: int = 0) -> int:
        """The first bit at ``start`` or later that is not set (there always is one)."""
        number, bit = start >> _SHIFT, start & _MASK
        while True:
            page = self._pages.get(number)
            if page is not None:
                found = bitpage.first_zero(page, bit)
                if found >= 0:
                    return (number << _SHIFT) + found
                number += 1
            else:
                after = self._full.end_of(number)
                if after < 0:
                    return (number << _SHIFT) + bit
                number = after
            bit = 0

    def last_set(self, end: int | None = None) -> int:
        """The last set bit before ``end`` (anywhere when None), or -1."""
        number, bit = self._highest_page(), _MASK
        if end is not None and (end - 1) >> _SHIFT <= number:
            number, bit = (end - 1) >> _SHIFT, (end - 1) & _MASK
        while number >= 0:
            page = self._pages.get(number)
            if page is not None:
                found = bitpage.last_one(page, bit)
                if found >= 0:
                    return (number << _SHIFT) + found
            elif number in self._full:
                return (number << _SHIFT) + bit
            number, bit = self._previous_page(number - 1), _MASK
        return -1

    def first_missing_in(self, other: Bitfield, start: int, end: int) -> int:
        """The first bit of ``[start, end)`` that is set here and not in ``other``, or -1."""
        position = start
        while True:
            position = self.first_set(position, end)
            if position < 0:
                return -1
            gap = other.first_unset(position)
            if gap == position:
                return position
            number, bit = gap >> _SHIFT, gap & _MASK
            rest = (self._page_int(number) & ~other._page_int(number)) >> bit
            if rest:
                return _before(gap + bitpage.lowest(rest), end)
            position = (number + 1) << _SHIFT

    # ------------------------------------------------------------ bytes

    def get_bytes(self, start: int, count: int) -> bytes:
        """``count`` bits from ``start`` as bytes; both are multiples of 8."""
        _check_bytes(start, count)
        parts = []
        position, end = start, start + count
        while position < end:
            number = position >> _SHIFT
            stop = min(end, (number + 1) << _SHIFT)
            low = (position & _MASK) >> 3
            parts.append(self._content(number)[low : low + (stop - position) // 8])
            position = stop
        return b"".join(parts)

    def set_bytes(self, start: int, data: Buffer) -> None:
        """Overwrite ``8 * len(data)`` bits from ``start`` (a multiple of 8) with ``data``."""
        _check_bytes(start, 0)
        view = memoryview(data)
        position = start
        while len(view):
            number = position >> _SHIFT
            low = (position & _MASK) >> 3
            part = bytes(view[: PAGE_BYTES - low])
            if part in (_FULL, _EMPTY):
                self._set_pages(number, number + 1, part == _FULL)
            elif self._content(number)[low : low + len(part)] != part:
                page = self._writable(number)
                page[low : low + len(part)] = part
                self._settle(number, page)
            position += len(part) * 8
            view = view[len(part) :]

    def page(self, number: int) -> bytes:
        """The `PAGE_BYTES` bytes of one page."""
        return bytes(self._content(number))

    def page_numbers(self) -> Iterator[int]:
        """Pages with at least one bit, ascending (a full stretch is listed page by page)."""
        number = self._next_page(0)
        while number >= 0:
            yield number
            number = self._next_page(number + 1)

    def take_dirty(self) -> list[int]:
        """Pages changed since the last call, ascending; needs ``track_dirty``."""
        if self._dirty is None:
            raise ValueError("this bitfield does not track its changes")
        dirty = sorted(self._dirty)
        self._dirty.clear()
        return dirty

    # ------------------------------------------------------------ inside one page

    def _set_in_page(self, number: int, low: int, high: int, value: bool) -> int:
        """Bits ``[low, high)`` of one page; returns how many changed."""
        before = self._count_in_page(number, low, high)
        changed = high - low - before if value else before
        if changed:
            page = self._writable(number)
            bitpage.fill(page, low, high, value)
            self._settle(number, page)
        return changed

    def _count_in_page(self, number: int, low: int, high: int) -> int:
        page = self._pages.get(number)
        if page is None:
            return high - low if number in self._full else 0
        return bitpage.count(page, low, high)

    def _content(self, number: int) -> bytes | bytearray:
        page = self._pages.get(number)
        if page is None:
            return _FULL if number in self._full else _EMPTY
        return page

    def _page_int(self, number: int) -> int:
        return int.from_bytes(self._content(number), "little")

    def _writable(self, number: int) -> bytearray:
        """The page as a bytearray, taken out of a full stretch or made where there is none."""
        page = self._pages.get(number)
        if page is not None:
            return page
        page = bytearray(self._content(number))
        self._set_full(number, number + 1, False)
        self._check_size(1)
        self._pages[number] = page
        insort(self._order, number)
        return page

    def _settle(self, number: int, page: bytearray) -> None:
        """After a change: keep the page only while it is neither full nor empty."""
        if self._dirty is not None:
            self._dirty.add(number)
        if page[0] == page[-1] == 0xFF and page == _FULL:
            self._drop_pages(number, number + 1)
            self._set_full(number, number + 1, True)
        elif page[0] == page[-1] == 0 and page == _EMPTY:
            self._drop_pages(number, number + 1)

    # ------------------------------------------------------------ whole pages

    def _set_pages(self, first: int, end: int, value: bool) -> int:
        """Pages ``[first, end)`` become full or empty; returns how many bits changed."""
        held = self._count_pages(first, end)
        changed = ((end - first) << _SHIFT) - held if value else held
        if not changed:
            return 0
        self._drop_pages(first, end)
        if self._dirty is not None:
            self._dirty.update(range(first, end))
        self._set_full(first, end, value)
        self._check_size(0)
        return changed

    def _set_full(self, first: int, end: int, value: bool) -> None:
        """Put pages into the full stretches or take them out."""
        if value:
            self._full.add(first, end)
        else:
            self._full.remove(first, end)
        self._solid = max(0, self._full.end_of(0)) << _SHIFT

    def _count_pages(self, first: int, end: int) -> int:
        """Bits set in pages ``[first, end)``."""
        low, high = bisect_left(self._order, first), bisect_left(self._order, end)
        total = self._full.overlap(first, end) << _SHIFT
        for number in self._order[low:high]:
            total += bitpage.count(self._pages[number], 0, PAGE_BITS)
        return total

    def _drop_pages(self, first: int, end: int) -> None:
        low, high = bisect_left(self._order, first), bisect_left(self._order, end)
        for number in self._order[low:high]:
            del self._pages[number]
        del self._order[low:high]

    def _next_page(self, number: int) -> int:
        """The first page at ``number`` or later that holds a bit, or -1."""
        index = bisect_left(self._order, number)
        full = self._full.next(number)
        if index == len(self._order):
            return full
        return self._order[index] if full < 0 else min(self._order[index], full)

    def _previous_page(self, number: int) -> int:
        """The last page at ``number`` or earlier that holds a bit, or -1."""
        index = bisect_right(self._order, number) - 1
        return max(self._order[index] if index >= 0 else -1, self._full.previous(number))

    def _highest_page(self) -> int:
        return self._previous_page(1 << 60)

    def _check_size(self, more: int) -> None:
        if self._max_pages is not None:
            size = len(self._pages) + len(self._full) + more
            if size > self._max_pages:
                raise DecodeError("A peer describes its blocks in too many scattered pieces.")


def _before(index: int, end: int | None) -> int:
    return index if end is None or index < end else -1


def _check_bytes(start: int, count: int) -> None:
    if start < 0 or count < 0 or start % 8 or count % 8:
        raise ValueError("bytes of a bitfield start and end at multiples of 8")
