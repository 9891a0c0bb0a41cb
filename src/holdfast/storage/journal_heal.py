"""Correct a single flipped bit in a journal record, so that decaying storage costs nothing.

The record has a CRC-32 of its body and a keyed 64-bit check of everything. Whatever the CRC points
to counts only when the 64-bit check then passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from holdfast.storage.flips import mend_crc
from holdfast.storage.journal import MAX_BODY, PREFIX, RECORD_HEADER, record_check

MAX_HEALED = 1 << 20
"""Longer bodies are not searched for a flipped bit: it would take seconds."""


def heal(data: memoryview, position: int, salt: bytes, expected: int) -> tuple[bytes, bytes] | None:
    """Prefix and body of the record number ``expected`` at ``position`` once one bit is corrected.

    None when no single bit explains what is there.
    """
    head = bytes(data[position : position + RECORD_HEADER])
    if len(head) < RECORD_HEADER:
        return None
    prefix, check = head[: PREFIX.size], head[PREFIX.size :]
    size, crc, seq, synced = PREFIX.unpack(prefix)
    if not _differ_by_a_bit_at_most(seq, expected):
        return None
    start = position + RECORD_HEADER
    for guess in _prefixes(size, crc, expected, synced, data, start):
        body = data[start : start + guess[0]]
        fixed = PREFIX.pack(*guess)
        found = record_check(salt, fixed, body)
        if found == check:
            return fixed, bytes(body)
        if fixed == prefix and _differ_by_a_bit_at_most(_int(found), _int(check)):
            return fixed, bytes(body)  # the flipped bit is in the check itself
    if seq != expected or start + size > len(data) or size > MAX_HEALED:
        return None
    body = data[start : start + size]
    mended = mend_crc(bytes(body), crc32(body) ^ crc)
    if mended is None or record_check(salt, prefix, mended) != check:
        return None
    return prefix, mended


def _prefixes(
    size: int, crc: int, seq: int, synced: int, data: memoryview, start: int
) -> Iterator[tuple[int, int, int, int]]:
    """Prefixes at most a bit away from the one found, whose body has the CRC they name."""
    room = len(data) - start
    if size <= room:
        actual = crc32(data[start : start + size])
        if _differ_by_a_bit_at_most(actual, crc):
            yield size, actual, seq, synced
        if actual == crc:
            for bit in range(64):
                yield size, crc, seq, synced ^ 1 << bit
    for bit in range(32):
        other = size ^ 1 << bit
        if 0 < other <= min(room, MAX_BODY) and crc32(data[start : start + other]) == crc:
            yield other, crc, seq, synced


def _differ_by_a_bit_at_most(left: int, right: int) -> bool:
    return (left ^ right).bit_count() <= 1


def _int(data: bytes) -> int:
    return int.from_bytes(data, "little")
