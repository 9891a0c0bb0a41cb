"""Single flipped bits, put right with the help of the check that noticed them.

Storage decays one bit at a time; a log that nobody else has should not be lost to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_POLYNOMIAL = 0xEDB88320


def differ_by_one_bit(left: int, right: int) -> bool:
    """Whether two numbers are the same but for one bit."""
    return (left ^ right).bit_count() == 1


def mend_crc(content: bytes, difference: int) -> bytes | None:
    """Flip the one bit whose effect on the CRC-32 of ``content`` is ``difference``, or None.

    A CRC is linear: what one flipped bit does to it depends only on its distance from the end.
    """
    effect = _POLYNOMIAL  # of the last byte's bit 7: the CRC is reflected
    for distance in range(8 * len(content)):
        if effect == difference:
            mended = bytearray(content)
            mended[-1 - (distance >> 3)] ^= 0x80 >> (distance & 7)
            return bytes(mended)
        effect = effect >> 1 ^ _POLYNOMIAL if effect & 1 else effect >> 1
    return None


def flips(content: bytes) -> Iterator[bytes]:
    """``content`` with each of its bits flipped in turn."""
    changed = bytearray(content)
    for position in range(len(changed)):
        for bit in range(8):
            changed[position] ^= 1 << bit
            yield bytes(changed)
            changed[position] ^= 1 << bit


def mend(content: bytes, is_right: Callable[[bytes], bool]) -> bytes | None:
    """The one flip of ``content`` that passes a check of 64 bits or more, or None."""
    return next(filter(is_right, flips(content)), None)
