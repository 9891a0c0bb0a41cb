"""The index: what logs there are, their heads and bitfields, and the settings, in SQLite.

Only checkpoints write it; between them the journal knows better. Every row carries a digest of its
content and its place, and one row holds the sums of all digests, so that a row that was changed,
swapped, lost or left behind by an earlier state is noticed.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import DamagedError, DiskFullError, StoreError
from holdfast.hypercore.backend import Head
from holdfast.storage.index_pages import mend_pages, note_pages
from holdfast.storage.index_rows import heal_rows, is_sound, mended_row, row_digest

NAME = "index.sqlite"

_SCHEMA = """
CREATE TABLE cores (id INTEGER PRIMARY KEY, digest INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE pages (core INTEGER NOT NULL, page INTEGER NOT NULL, digest INTEGER NOT NULL,
                    content BLOB NOT NULL, PRIMARY KEY (core, page)) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, digest INTEGER NOT NULL, content BLOB NOT NULL)
                    WITHOUT ROWID;
CREATE TABLE meta (id INTEGER PRIMARY KEY, digest INTEGER NOT NULL, content BLOB NOT NULL);
"""
_TABLES = ("cores", "pages", "settings")
_CORE = struct.Struct("<B32s32sQQQIII")
_META = struct.Struct("<QQI" + "QQ" * len(_TABLES))
_OWN = 1
_HAS_HEAD = 2
_HAS_MANIFEST = 4
_HAS_FILES = 8
_ALL = (1 << 64) - 1
_TRANSIENT = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}
"""Trouble that says nothing about what the file holds."""


class CoreRow(NamedTuple):
    """A log's entry."""

    id: int
    key: bytes
    discovery_key: bytes
    own: bool
    head: Head | None
    manifest: bytes | None
    pages: int
    """How many bitfield pages it has in the index."""
    files: bool
    """Whether its files have been written by a checkpoint, and so must be there."""


class Meta(NamedTuple):
    """State of the last checkpoint."""

    epoch: int
    """Journals up to this epoch are contained."""
    seq: int
    """Last journal record contained."""
    next_core: int


@dataclass(slots=True)
class IndexUpdate:
    """What one checkpoint writes."""

    meta: Meta
    cores: list[CoreRow] = field(default_factory=list)
    pages: dict[tuple[int, int], bytes] = field(default_factory=dict)
    settings: dict[str, bytes | None] = field(default_factory=dict)


class Index:
    """One open index. `update` may run in any thread, one at a time; the rest in the owner's."""

    def __init__(self, path: Path) -> None:
        """Open, after a crash in the middle of `update` too. Raises `DamagedError`."""
        if not path.exists():
            raise DamagedError("The store's index is missing.")
        rollback = path.with_name(path.name + "-journal")
        was_cut_off = rollback.exists() and rollback.stat().st_size > 0
        self._path = path
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        if not was_cut_off:
            mend_pages(path)
        with _explained():
            self._reader = _connect(path)
            if was_cut_off:
                verdict = self._reader.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != ("ok",):
                    raise DamagedError("The structure of the store's index is damaged.")
            self.meta, self._sums = self._load_meta()
            self.whole = self._matches_sums()
            """False when a row is lost; what can be read is still right."""
            if not self.whole:
                self.heal()

    @staticmethod
    def create(path: Path) -> None:
        """A new, empty index. The caller syncs it."""
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with _explained():
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
                row = _meta_row(Meta(0, 0, 1), dict.fromkeys(_TABLES, (0, 0)))
                connection.execute("INSERT INTO meta VALUES (1, ?, ?)", row)
            finally:
                connection.close()
        note_pages(path)

    # -- reading --------------------------------------------------------------------------------

    def _load_meta(self) -> tuple[Meta, dict[str, tuple[int, int]]]:
        assert self._reader is not None
        row = self._reader.execute("SELECT id, 0, digest, content FROM meta").fetchone()
        if row is not None and not is_sound("meta", *row):
            row = mended_row("meta", *row)
        if row is None or len(row[3]) != _META.size:
            raise DamagedError("The summary of the store's index is damaged.")
        epoch, seq, next_core, *sums = _META.unpack(row[3])
        pairs = zip(sums[::2], sums[1::2], strict=True)
        return Meta(epoch, seq, next_core), dict(zip(_TABLES, pairs, strict=True))

    def heal(self) -> bool:
        """Put single flipped bits in rows right, on disk too; returns whether all is well then.

        Takes a second for a large row: not for the usual course of things.
        """
        assert self._reader is not None
        with _explained():
            healed = heal_rows(self._reader)
            note_pages(self._path)
            self.whole = self._matches_sums()
        return healed and self.whole

    def _matches_sums(self) -> bool:
        assert self._reader is not None
        for table in _TABLES:
            count, low, high = self._reader.execute(
                "SELECT count(*), sum(digest & 4294967295), sum(digest >> 32 & 4294967295)"
                f" FROM {table}"
            ).fetchone()
            total = (low or 0) + ((high or 0) << 32) & _ALL
            if (count, total) != self._sums[table]:
                return False
        return True

    def load(self) -> tuple[list[CoreRow], dict[str, bytes]]:
        """Every log's entry and every setting; ``whole`` says whether these are all."""
        cores, settings = self._read_cores(), self._read_settings()
        if None in cores or None in settings.values():
            self.heal()
            cores, settings = self._read_cores(), self._read_settings()
        found = [row for row in cores if row is not None]
        values = {name: value for name, value in settings.items() if value is not None}
        if len(found) < len(cores) or len(values) < len(settings):
            self.whole = False
        return found, values

    def _read_cores(self) -> list[CoreRow | None]:
        """Entries, None in the place of one that is damaged."""
        assert self._reader is not None
        with _explained():
            rows = self._reader.execute("SELECT id, digest, content FROM cores").fetchall()
        return [_unpack_core(*row) for row in rows]

    def _read_settings(self) -> dict[str, bytes | None]:
        """Settings, None for a value that is damaged."""
        assert self._reader is not None
        with _explained():
            rows = self._reader.execute("SELECT name, digest, content FROM settings").fetchall()
        return {
            str(name): content if is_sound("settings", name, 0, digest, content) else None
            for name, digest, content in rows
        }

    def pages(self, core: int) -> dict[int, bytes] | None:
        """The bitfield pages of a log without trailing zero bytes; None when one is damaged."""
        assert self._reader is not None
        pages: dict[int, bytes] = {}
        with _explained():
            for page, digest, content in self._reader.execute(
                "SELECT page, digest, content FROM pages WHERE core = ? ORDER BY page", (core,)
            ):
                if not is_sound("pages", core, page, digest, content):
                    return None
                pages[page] = content
        return pages

    # -- writing --------------------------------------------------------------------------------

    def update(self, update: IndexUpdate) -> None:
        """Write a checkpoint, all of it or nothing; durable when it returns.

        Raises `DiskFullError`, or `StoreError` for other trouble of the disk: the journal still has
        everything then.
        """
        with _explained():
            if self._writer is None:
                self._writer = _connect(self._path)
            writer = self._writer
            sums = dict(self._sums)
            writer.execute("BEGIN IMMEDIATE")
            try:
                _put_rows(writer, update, sums)
                writer.execute(
                    "UPDATE meta SET digest = ?, content = ? WHERE id = 1",
                    _meta_row(update.meta, sums),
                )
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise
            note_pages(self._path)
            self.meta, self._sums = update.meta, sums

    def close(self) -> None:
        """Close; what was committed stays."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()


def _put_rows(
    writer: sqlite3.Connection, update: IndexUpdate, sums: dict[str, tuple[int, int]]
) -> None:
    for row in update.cores:
        content = _pack_core(row)
        digest = row_digest("cores", row.id, 0, content)
        old = writer.execute("SELECT digest FROM cores WHERE id = ?", (row.id,)).fetchone()
        _add(sums, "cores", old, digest)
        writer.execute("INSERT OR REPLACE INTO cores VALUES (?, ?, ?)", (row.id, digest, content))
    for (core, page), content in update.pages.items():
        digest = row_digest("pages", core, page, content)
        old = writer.execute(
            "SELECT digest FROM pages WHERE core = ? AND page = ?", (core, page)
        ).fetchone()
        _add(sums, "pages", old, digest)
        writer.execute(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)", (core, page, digest, content)
        )
    for name, value in update.settings.items():
        old = writer.execute("SELECT digest FROM settings WHERE name = ?", (name,)).fetchone()
        if value is None:
            _add(sums, "settings", old, None)
            writer.execute("DELETE FROM settings WHERE name = ?", (name,))
        else:
            digest = row_digest("settings", name, 0, value)
            _add(sums, "settings", old, digest)
            writer.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (name, digest, value)
            )


def _add(
    sums: dict[str, tuple[int, int]], table: str, old: tuple[int] | None, new: int | None
) -> None:
    count, total = sums[table]
    if old is not None:
        count, total = count - 1, total - old[0]
    if new is not None:
        count, total = count + 1, total + new
    sums[table] = (count, total & _ALL)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=30, isolation_level=None, check_same_thread=False, cached_statements=32
    )
    connection.text_factory = _decode_text
    try:
        # A rollback journal and not WAL: opening a store on a full disk must not need new files.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _decode_text(data: bytes) -> str:
    """A damaged name must not stop the reading of all others."""
    return data.decode(errors="surrogateescape")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's own message quotes what it could not read
        raise DamagedError("The store's index is damaged.") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFullError("The disk that holds the store is full.") from error
        if code in _TRANSIENT:
            raise StoreError(f"The store's index cannot be used: {error}.") from error
        raise DamagedError(f"The store's index is damaged: {error}.") from error


def _meta_row(meta: Meta, sums: dict[str, tuple[int, int]]) -> tuple[int, bytes]:
    flat = [number for table in _TABLES for number in sums[table]]
    content = _META.pack(*meta, *flat)
    return row_digest("meta", 1, 0, content), content


def _pack_core(row: CoreRow) -> bytes:
    flags = _OWN * row.own | _HAS_HEAD * (row.head is not None)
    flags |= _HAS_MANIFEST * (row.manifest is not None) | _HAS_FILES * row.files
    fork, length, byte_length, signature = row.head or Head(0, 0, 0, b"")
    manifest = row.manifest or b""
    fixed = _CORE.pack(
        flags,
        row.key,
        row.discovery_key,
        fork,
        length,
        byte_length,
        row.pages,
        len(signature),
        len(manifest),
    )
    return fixed + signature + manifest


def _unpack_core(number: int, digest: int, content: bytes) -> CoreRow | None:
    if not is_sound("cores", number, 0, digest, content):
        return None
    flags, key, discovery_key, fork, length, byte_length, pages, size, rest = _CORE.unpack_from(
        content
    )
    start = _CORE.size
    signature = content[start : start + size]
    manifest = content[start + size : start + size + rest]
    return CoreRow(
        number,
        key,
        discovery_key,
        bool(flags & _OWN),
        Head(fork, length, byte_length, signature) if flags & _HAS_HEAD else None,
        manifest if flags & _HAS_MANIFEST else None,
        pages,
        bool(flags & _HAS_FILES),
    )
