"""The index: what is read back is what was written, or it is known that something is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import DamagedError, DiskFullError
from holdfast.hypercore.backend import Head
from holdfast.storage.index import CoreRow, Index, IndexUpdate, Meta

HEAD = Head(1, 2, 3, b"signature")
CORES = [
    CoreRow(1, b"k" * 32, b"d" * 32, True, HEAD, b"manifest", 2, True),
    CoreRow(2, b"l" * 32, b"e" * 32, False, None, None, 0, False),
]
PAGES = {(1, 0): b"\xff" * 100, (1, 7): b"\x01"}
SETTINGS = {"name": b"value", "größe": b"", "third": b"x" * 300}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "index.sqlite"
    Index.create(made)
    index = Index(made)
    index.update(IndexUpdate(Meta(4, 5, 6), list(CORES), dict(PAGES), dict(SETTINGS)))
    index.close()
    return made


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """To do damage with."""
    opened = sqlite3.connect(path, isolation_level=None)
    yield opened
    opened.close()


def check(path: Path) -> None:
    index = Index(path)
    try:
        assert index.load() == (CORES, SETTINGS)
        assert index.whole
        assert index.meta == Meta(4, 5, 6)
        assert index.pages(1) == {0: PAGES[1, 0], 7: PAGES[1, 7]}
        assert index.pages(2) == {}
    finally:
        index.close()


def test_read_back(path: Path) -> None:
    check(path)


def test_rows_are_replaced_and_forgotten(path: Path) -> None:
    index = Index(path)
    changed = CORES[1]._replace(own=True)
    settings = {"name": b"new", "third": None, "never": None}
    index.update(IndexUpdate(Meta(5, 6, 7), [changed], {(1, 7): b""}, dict(settings)))
    index.close()
    index = Index(path)
    assert index.load() == ([CORES[0], changed], {"name": b"new", "größe": b""})
    assert index.whole
    assert index.pages(1) == {0: PAGES[1, 0], 7: b""}
    index.close()


@pytest.mark.parametrize("table", ["cores", "pages", "settings", "meta"])
@pytest.mark.parametrize("column", ["content", "digest"])
def test_a_flipped_bit_in_a_row_is_put_right(
    path: Path, connection: sqlite3.Connection, table: str, column: str
) -> None:
    (old,) = connection.execute(f"SELECT {column} FROM {table}").fetchone()
    for bit in (0, 1, 13, 40):
        if column == "digest":
            new: int | bytes = old ^ 1 << bit
        elif bit < 8 * len(old):
            new = bytearray(old)
            new[bit >> 3] ^= 1 << (bit & 7)
        else:
            continue
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
        check(path) if table != "pages" else check_page_healed(path)
        check(path)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (old, new))


def check_page_healed(path: Path) -> None:
    """Pages are only looked at when they are asked for (or when a digest shows in the sum)."""
    index = Index(path)
    index.load()
    if index.pages(1) is None:
        assert index.heal()
    assert index.pages(1) == {0: PAGES[1, 0], 7: PAGES[1, 7]}
    index.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE cores SET id = 65 WHERE id = 1",
        "UPDATE cores SET id = -9223372036854775807 WHERE id = 1",
        "UPDATE pages SET core = 3 WHERE page = 7",
        "UPDATE pages SET page = 3 WHERE page = 7",
        "UPDATE settings SET name = 'ncme' WHERE name = 'name'",
        "UPDATE settings SET name = CAST(x'6EE16D65' AS TEXT) WHERE name = 'name'",
    ],
)
def test_a_flipped_bit_in_a_place_is_put_right(
    path: Path, connection: sqlite3.Connection, damage: str
) -> None:
    connection.execute(damage)
    index = Index(path)
    index.load()
    if not damage.startswith("UPDATE cores") and not damage.startswith("UPDATE settings"):
        assert index.heal()  # as a log does that has fewer pages than it should
    index.close()
    check(path)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM cores WHERE id = 2",
        "DELETE FROM settings WHERE name = 'third'",
        "DELETE FROM pages WHERE page = 7",
        "UPDATE settings SET content = x'00010203' WHERE name = 'name'",
        "UPDATE settings SET content = 'text' WHERE name = 'name'",
        "UPDATE settings SET digest = 'text' WHERE name = 'name'",
        "UPDATE cores SET content = x'00010203' WHERE id = 1",
    ],
)
def test_what_cannot_be_put_right_is_known(
    path: Path, connection: sqlite3.Connection, damage: str
) -> None:
    connection.execute(damage)
    index = Index(path)
    cores, settings = index.load()
    assert not index.whole
    assert set(cores) <= set(CORES)
    assert settings.items() <= SETTINGS.items()
    index.close()


def test_an_older_row_in_its_place_is_known(path: Path, connection: sqlite3.Connection) -> None:
    """Each row is right by itself, but they are not of one state."""
    old = connection.execute("SELECT digest, content FROM settings WHERE name = 'name'").fetchone()
    index = Index(path)
    index.update(IndexUpdate(Meta(5, 6, 7), settings={"name": b"new"}))
    index.close()
    connection.execute("UPDATE settings SET digest = ?, content = ? WHERE name = 'name'", old)
    index = Index(path)
    assert not index.whole
    index.close()


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError):
        Index(tmp_path / "missing")
    (tmp_path / "text").write_text("something else " * 1000)
    with pytest.raises(DamagedError):
        Index(tmp_path / "text")
    sqlite3.connect(tmp_path / "empty").execute("CREATE TABLE other (a)").connection.close()
    with pytest.raises(DamagedError):
        Index(tmp_path / "empty")


def test_a_full_disk_leaves_the_state_before(path: Path) -> None:
    index = Index(path)
    assert index._writer is None
    index.update(IndexUpdate(Meta(4, 5, 6)))
    assert index._writer is not None
    (pages,) = index._writer.execute("PRAGMA page_count").fetchone()
    index._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFullError):
        index.update(IndexUpdate(Meta(5, 6, 7), settings={"large": bytes(100_000)}))
    index.update(IndexUpdate(Meta(4, 5, 6)))
    index.close()
    check(path)
