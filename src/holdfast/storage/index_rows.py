"""What makes a row of the index believable, and mending one that has a flipped bit."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from holdfast.crypto import blake2b
from holdfast.storage.flips import differ_by_one_bit, mend

_ALL = (1 << 64) - 1
_LARGEST = 8192
"""Longer content is not searched for a flipped bit: it would take too long."""
_MOST = 8
"""More damaged rows than this are no decaying bits."""

_READ = {
    "cores": "SELECT id, 0, digest, content FROM cores",
    "pages": "SELECT core, page, digest, content FROM pages",
    "settings": "SELECT name, 0, digest, content FROM settings",
    "meta": "SELECT id, 0, digest, content FROM meta",
}
_DELETE = {
    "cores": "DELETE FROM cores WHERE id = ?1 AND ?2 = 0",
    "pages": "DELETE FROM pages WHERE core = ?1 AND page = ?2",
    "settings": "DELETE FROM settings WHERE name = CAST(?1 AS TEXT) AND ?2 = 0",
    "meta": "DELETE FROM meta WHERE id = ?1 AND ?2 = 0",
}
_INSERT = {
    "cores": "INSERT INTO cores (id, digest, content) VALUES (?1, ?3, ?4)",
    "pages": "INSERT INTO pages (core, page, digest, content) VALUES (?1, ?2, ?3, ?4)",
    "settings": "INSERT INTO settings (name, digest, content) VALUES (CAST(?1 AS TEXT), ?3, ?4)",
    "meta": "INSERT INTO meta (id, digest, content) VALUES (?1, ?3, ?4)",
}

Place = int | str


class Row(NamedTuple):
    """One row of any table; ``page`` is 0 where there are none."""

    place: Place
    page: int
    digest: int
    content: bytes


def row_digest(table: str, place: Place, page: int, content: bytes) -> int:
    """The first 8 bytes of BLAKE2b-256 over table, place and content, as SQLite keeps them."""
    name = _bytes(place)
    label = f"{table}:{len(name)}:{page}:".encode() + name
    return int.from_bytes(blake2b(label + content)[:8], "little", signed=True)


def is_sound(table: str, place: object, page: object, digest: object, content: object) -> bool:
    """Whether a row is as it was written, in its place."""
    if not isinstance(content, bytes) or not isinstance(page, int):
        return False
    if not isinstance(place, str) and not (isinstance(place, int) and 0 <= place < 1 << 63):
        return False
    return digest == row_digest(table, place, page, content)


def mended_row(
    table: str, place: object, page: object, digest: object, content: object
) -> Row | None:
    """The row with its one flipped bit put right, or None when that does not explain the damage."""
    if not isinstance(digest, int) or not isinstance(content, bytes) or len(content) > _LARGEST:
        return None
    if not isinstance(page, int) or not isinstance(place, int | str):
        return None
    if not isinstance(place, int) or 0 <= place < 1 << 63:
        actual = row_digest(table, place, page, content)
        if differ_by_one_bit(actual & _ALL, digest & _ALL):
            return Row(place, page, actual, content)
        mended = mend(content, lambda c: row_digest(table, place, page, c) == digest)
        if mended is not None:
            return Row(place, page, digest, mended)
    name = mend(
        _bytes(place), lambda n: row_digest(table, _like(place, n), page, content) == digest
    )
    if name is not None:
        return Row(_like(place, name), page, digest, content)
    if isinstance(place, int) and not 0 <= place < 1 << 63:
        return None
    for bit in range(63):
        if row_digest(table, place, page ^ 1 << bit, content) == digest:
            return Row(place, page ^ 1 << bit, digest, content)
    return None


def heal_rows(connection: sqlite3.Connection) -> bool:
    """Mend the damaged rows of all tables; returns whether none is left."""
    mended: list[tuple[str, Row, Row]] = []
    for table, statement in _READ.items():
        damaged = [row for row in connection.execute(statement) if not is_sound(table, *row)]
        for row in damaged[:_MOST]:
            found = mended_row(table, *row)
            if found is not None:
                mended.append((table, Row(*row), found))
        if len(damaged) > _MOST:
            return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, old, new in mended:
            connection.execute(_DELETE[table], _key(old)[:2])
            connection.execute(_INSERT[table], _key(new))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return all(
        is_sound(table, *row)
        for table, statement in _READ.items()
        for row in connection.execute(statement).fetchall()
    )


def _key(row: Row) -> tuple[int | bytes, int, int, bytes]:
    """Parameters for SQLite: a name as bytes, since a damaged one may be no UTF-8."""
    place = _bytes(row.place) if isinstance(row.place, str) else row.place
    return place, row.page, row.digest, row.content


def _bytes(place: Place) -> bytes:
    if isinstance(place, str):
        return place.encode(errors="surrogateescape")
    return (place & _ALL).to_bytes(8, "little")


def _like(place: Place, name: bytes) -> Place:
    """``name`` as a place of the kind of ``place``."""
    if isinstance(place, str):
        return name.decode(errors="surrogateescape")
    return int.from_bytes(name, "little", signed=True)
