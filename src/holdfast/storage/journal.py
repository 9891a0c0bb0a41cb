"""The store's journal: two files used in turn, one record per write, one sync for many of them.

A file begins with two copies of a header that names its *epoch*; records follow end to end. Each
record's check is keyed with the epoch's random salt, so that what an earlier epoch left behind in
the file is never taken for a record. `scan` (module ``journal_scan``) reads it back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from holdfast.crypto import Hasher, blake2b, hasher
from holdfast.errors import DamagedError
from holdfast.storage.disk import write_all

NAMES = ("journal.0", "journal.1")
START = 4096
"""Where records begin; the header's copies lie before, in sectors of their own."""
_COPIES = (0, 2048)
_MAGIC = b"HFJRNL1\n"
_HEADER = Struct("<8sQ16sQ")  # magic, epoch, salt, first sequence number
_CHECK_BYTES = 8

PREFIX = Struct("<IIQQ")  # bytes of the body, its CRC-32, sequence number, highest durable one
RECORD_HEADER = PREFIX.size + _CHECK_BYTES
MAX_BODY = (1 << 32) - 1

SMALL = 1 << 16
"""What an idle journal file keeps allocated, so that a full disk can still be cleared."""
_MAX_STEP = 1 << 22


class Header(NamedTuple):
    """Beginning of a journal file."""

    epoch: int
    salt: bytes
    first: int
    """Sequence number of the epoch's first record."""


class JournalFile:
    """One of the two files: its descriptor, its header, its size in bytes really written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.size = os.fstat(self.fd).st_size
        self.header = self._read_header()

    @staticmethod
    def create(path: Path) -> None:
        """An empty file of epoch 0, which has no records. The caller syncs it."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, _pack_header(Header(0, bytes(16), 0)) + bytes(SMALL - START), 0)
        finally:
            os.close(fd)

    def _read_header(self) -> Header:
        found: Header | None = None
        for position in _COPIES:
            data = os.pread(self.fd, _HEADER.size + _CHECK_BYTES, position)
            header = _unpack_header(data)
            if header is not None and (found is None or header.epoch > found.epoch):
                found = header
        if found is None:
            raise DamagedError(f"The store's {self.path.name} is damaged at its beginning.")
        return found

    def begin(self, header: Header) -> None:
        """Write a new header. The records of older epochs are no longer readable from then on."""
        write_all(self.fd, _pack_header(header), 0)
        self.header = header

    def grow(self, end: int) -> None:
        """Fill with zero bytes until ``end`` lies inside: a sync then has only bytes to write.

        Raises OSError when not even ``end`` can be reached; the file is then as before.
        """
        step = min(_MAX_STEP, max(SMALL, self.size))
        goal = max(end, self.size + step)
        before = self.size
        try:
            while self.size < goal:
                size = min(_MAX_STEP, goal - self.size)
                self.size += os.pwrite(self.fd, bytes(size), self.size)
        except OSError:
            if self.size >= end:
                return
            self.size = before
            os.ftruncate(self.fd, before)
            raise

    def shrink(self) -> None:
        """Give back what an idle file does not need."""
        if self.size > SMALL:
            os.ftruncate(self.fd, SMALL)
            self.size = SMALL

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


class Journal:
    """Appends records. Synchronous, never syncs by itself."""

    def __init__(self, directory: Path, random: Callable[[int], bytes]) -> None:
        self.files = [JournalFile(directory / name) for name in NAMES]
        self._random = random
        self._file: JournalFile | None = None
        self._state: Hasher = hasher()
        self.tail = START
        self.seq = 0
        """Sequence number of the last record: the store's tickets."""
        self.synced = 0
        """Highest sequence number known durable."""
        self.live: list[JournalFile] = []
        """Files whose records are not all in place yet, oldest first."""
        self.unsynced: set[JournalFile] = set()

    @property
    def epoch(self) -> int:
        """Epoch being written, or 0 when the next record begins a new one."""
        return self._file.header.epoch if self._file is not None else 0

    @property
    def can_switch(self) -> bool:
        """Whether one of the files is free for a new epoch."""
        return len(self.live) < 2

    def append(self, body: bytes) -> int:
        """Write one record; returns its sequence number. OSError: the journal is as before."""
        file = self._file or self.switch()
        seq = self.seq + 1
        prefix = PREFIX.pack(len(body), crc32(body), seq, self.synced)
        state = self._state.copy()
        state.update(prefix + body)
        record = b"".join((prefix, state.digest()[:_CHECK_BYTES], body))
        tail = self.tail
        end = tail + len(record)
        if end > file.size:
            file.grow(end)
        try:
            if os.pwrite(file.fd, record, tail) != len(record):
                write_all(file.fd, record, tail)
        except OSError:
            self._blank(file, tail)
            raise
        self.tail = end
        self.seq = seq
        self.unsynced.add(file)
        return seq

    def _blank(self, file: JournalFile, tail: int) -> None:
        try:
            os.pwrite(file.fd, bytes(RECORD_HEADER), tail)
        except OSError:
            return  # a record cut off in the middle does not pass its check either

    def switch(self) -> JournalFile:
        """Begin a new epoch in the file that is free."""
        file = next(f for f in self.files if f not in self.live)
        newest = max(f.header.epoch for f in self.files)
        file.begin(Header(newest + 1, self._random(16), self.seq + 1))
        self.live.append(file)
        self._write_to(file, START)
        self.unsynced.add(file)
        return file

    def resume(self, file: JournalFile, tail: int) -> None:
        """Go on in a file that was read back up to ``tail``."""
        self._write_to(file, tail)

    def _write_to(self, file: JournalFile, tail: int) -> None:
        self._file = file
        self.tail = tail
        self._state = hasher(key=file.header.salt)

    def retire(self, epoch: int) -> None:
        """Everything up to and including ``epoch`` is in place: those files are free again."""
        self.live = [f for f in self.live if f.header.epoch > epoch]
        self.unsynced.intersection_update(self.live)
        if self._file not in self.live:
            self._file = None

    def shrink(self) -> None:
        """Give back what free files do not need."""
        for file in self.files:
            if file not in self.live:
                file.shrink()

    def close(self) -> None:
        """Close both files."""
        for file in self.files:
            file.close()


def record_check(salt: bytes, prefix: bytes, body: bytes | memoryview) -> bytes:
    """The check of a record."""
    state = hasher(key=salt)
    state.update(prefix)
    state.update(body)
    return state.digest()[:_CHECK_BYTES]


def _pack_header(header: Header) -> bytes:
    copy = _HEADER.pack(_MAGIC, header.epoch, header.salt, header.first)
    copy += blake2b(copy)[:_CHECK_BYTES]
    page = bytearray(START)
    for position in _COPIES:
        page[position : position + len(copy)] = copy
    return bytes(page)


def _unpack_header(data: bytes) -> Header | None:
    content, check = data[: _HEADER.size], data[_HEADER.size :]
    if len(data) < _HEADER.size + _CHECK_BYTES or blake2b(content)[:_CHECK_BYTES] != check:
        return None
    magic, epoch, salt, first = _HEADER.unpack(content)
    return Header(epoch, salt, first) if magic == _MAGIC else None
