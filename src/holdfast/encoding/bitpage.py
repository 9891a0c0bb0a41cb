"""Searching and filling the bits of one page, as bytes and big numbers instead of bit by bit.

Bits are counted least significant first. ``page`` is a bytearray of whatever length.
"""

from __future__ import annotations

_ONES = b"\xff"
_ZEROS = b"\x00"


def fill(page: bytearray, low: int, high: int, value: bool) -> None:
    """Set or clear bits ``[low, high)``; the range is not empty."""
    first, last = low >> 3, (high - 1) >> 3
    head, tail = 0xFF << (low & 7) & 0xFF, 0xFF >> (7 - ((high - 1) & 7))
    if first == last:
        head &= tail
    page[first] = page[first] | head if value else page[first] & ~head
    if first == last:
        return
    page[last] = page[last] | tail if value else page[last] & ~tail
    page[first + 1 : last] = (_ONES if value else _ZEROS) * (last - first - 1)


def count(page: bytearray, low: int, high: int) -> int:
    """How many of bits ``[low, high)`` are set."""
    part = page[low >> 3 : (high + 7) >> 3]
    total = int.from_bytes(part, "little").bit_count()
    if low & 7:
        total -= (part[0] & ((1 << (low & 7)) - 1)).bit_count()
    if high & 7:
        total -= (part[-1] >> (high & 7)).bit_count()
    return total


def lowest(bits: int) -> int:
    """Position of the lowest set bit of a number above 0."""
    return (bits & -bits).bit_length() - 1


def first_one(page: bytearray, bit: int) -> int:
    """Position of the first set bit at ``bit`` or later, or -1."""
    index = bit >> 3
    here = page[index] >> (bit & 7)
    if here:
        return bit + lowest(here)
    rest = page[index + 1 :]
    kept = rest.lstrip(_ZEROS)
    return (len(page) - len(kept)) * 8 + lowest(kept[0]) if kept else -1


def first_zero(page: bytearray, bit: int) -> int:
    """Position of the first clear bit at ``bit`` or later, or -1."""
    index = bit >> 3
    here = (page[index] ^ 0xFF) >> (bit & 7)
    if here:
        return bit + lowest(here)
    rest = page[index + 1 :]
    kept = rest.lstrip(_ONES)
    return (len(page) - len(kept)) * 8 + lowest(kept[0] ^ 0xFF) if kept else -1


def last_one(page: bytearray, bit: int) -> int:
    """Position of the last set bit at ``bit`` or earlier, or -1."""
    index = bit >> 3
    here = page[index] & (0xFF >> (7 - (bit & 7)))
    if here:
        return index * 8 + here.bit_length() - 1
    kept = page[:index].rstrip(_ZEROS)
    return len(kept) * 8 - 9 + kept[-1].bit_length() if kept else -1
