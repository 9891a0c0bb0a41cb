"""Read a journal back after the process or the power went away."""

from __future__ import annotations

import mmap
import os
from typing import NamedTuple

from holdfast.storage.journal import PREFIX, RECORD_HEADER, START, JournalFile, record_check
from holdfast.storage.journal_heal import heal


class Record(NamedTuple):
    """Where an intact record lies."""

    seq: int
    start: int
    """Where its body begins in the file."""
    end: int
    """Where the next record begins."""
    healed: bytes | None
    """The body when a bit of it had to be put right."""

    def body(self, file: JournalFile) -> bytes:
        """What it says."""
        if self.healed is not None:
            return self.healed
        return os.pread(file.fd, self.end - self.start, self.start)


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
        prefix = bytes(data[position : position + PREFIX.size])
        healed: bytes | None = None
        if not _is_intact(data, position, salt, expected):
            found = heal(data, position, salt, expected)
            if found is None:
                return Scan(records, synced, _is_blank(data[position:]))
            prefix, healed = found
        size, _, seq, durable = PREFIX.unpack(prefix)
        start = position + RECORD_HEADER
        position = start + size
        records.append(Record(seq, start, position, healed))
        synced = max(synced, durable)
        expected += 1


def _is_intact(data: memoryview, position: int, salt: bytes, expected: int) -> bool:
    head = bytes(data[position : position + RECORD_HEADER])
    if len(head) < RECORD_HEADER:
        return False
    prefix = head[: PREFIX.size]
    size, _, seq, _ = PREFIX.unpack(prefix)
    start = position + RECORD_HEADER
    if seq != expected or start + size > len(data):
        return False
    return record_check(salt, prefix, data[start : start + size]) == head[PREFIX.size :]


def _is_blank(data: memoryview) -> bool:
    step = 1 << 20
    for start in range(0, len(data), step):
        piece = bytes(data[start : start + step])
        if piece.count(0) != len(piece):
            return False
    return True
