"""Read a journal back after the process or the power went away."""

from __future__ import annotations

import mmap
from typing import NamedTuple

from holdfast.storage.journal import PREFIX, RECORD_HEADER, START, JournalFile, record_check
from holdfast.storage.journal_heal import heal


class Record(NamedTuple):
    """One intact record."""

    seq: int
    body: bytes
    end: int
    """Where the next record begins in the file."""


class Scan(NamedTuple):
    """What a journal file holds."""

    records: list[Record]
    synced: int
    """Highest sequence number that some record says was durable."""
    rest_is_blank: bool
    """Whether only zero bytes follow the last record."""


def scan(file: JournalFile) -> Scan:
    """All records of the file's epoch in order, up to the first that is not intact."""
    if file.size <= START:
        return Scan([], 0, True)
    with mmap.mmap(file.fd, file.size, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
        return _scan(data, file.header.salt, file.header.first)


def _scan(data: memoryview, salt: bytes, first: int) -> Scan:
    records: list[Record] = []
    position, expected, synced = START, first, 0
    while True:
        found = _read(data, position, salt, expected)
        if found is None:
            return Scan(records, synced, _is_blank(data[position:]))
        prefix, body = found
        _, _, seq, durable = PREFIX.unpack(prefix)
        position += RECORD_HEADER + len(body)
        records.append(Record(seq, body, position))
        synced = max(synced, durable)
        expected += 1


def _read(
    data: memoryview, position: int, salt: bytes, expected: int
) -> tuple[bytes, bytes] | None:
    head = bytes(data[position : position + RECORD_HEADER])
    if len(head) < RECORD_HEADER:
        return None
    prefix = head[: PREFIX.size]
    size, _, seq, _ = PREFIX.unpack(prefix)
    start = position + RECORD_HEADER
    if seq == expected and start + size <= len(data):
        body = bytes(data[start : start + size])
        if record_check(salt, prefix, body) == head[PREFIX.size :]:
            return prefix, body
    return heal(data, position, salt, expected)


def _is_blank(data: memoryview) -> bool:
    step = 1 << 20
    for start in range(0, len(data), step):
        piece = bytes(data[start : start + step])
        if piece.count(0) != len(piece):
            return False
    return True
