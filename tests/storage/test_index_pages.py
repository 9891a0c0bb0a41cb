"""Pages of the index: one flipped bit anywhere is put right; what is no longer true is not used."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from holdfast.storage.index import Index, IndexUpdate, Meta
from holdfast.storage.index_pages import SUFFIX, mend_pages

SETTINGS = {"name": b"value" * 900, "other": b"x" * 300}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "index.sqlite"
    Index.create(made)
    index = Index(made)
    index.update(IndexUpdate(Meta(1, 1, 1), settings=dict(SETTINGS)))
    index.close()
    return made


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit >> 3] ^= 1 << (bit & 7)
    path.write_bytes(content)


def test_a_flipped_bit_anywhere(path: Path) -> None:
    whole = path.read_bytes()
    chance = random.Random(5)
    for _ in range(20):
        flip(path, chance.randrange(8 * len(whole)))
        index = Index(path)
        assert index.whole and index.load() == ([], SETTINGS)
        index.close()
        assert path.read_bytes() == whole


def test_a_flipped_bit_in_the_checks_is_nothing(path: Path) -> None:
    checks = path.with_name(path.name + SUFFIX)
    for bit in (3, 8 * checks.stat().st_size - 1):
        flip(checks, bit)
    assert not mend_pages(path)
    Index(path).close()


def test_checks_that_a_crash_left_behind_change_nothing(path: Path) -> None:
    checks = path.with_name(path.name + SUFFIX)
    old = checks.read_bytes()
    index = Index(path)
    index.update(IndexUpdate(Meta(2, 2, 2), settings={"more": b"value"}))
    index.close()
    checks.write_bytes(old)
    now = path.read_bytes()
    assert not mend_pages(path) and path.read_bytes() == now


def test_more_than_a_bit_is_left_alone(path: Path) -> None:
    flip(path, 8 * 4200)
    flip(path, 8 * 4300)
    now = path.read_bytes()
    assert not mend_pages(path) and path.read_bytes() == now


def test_without_checks_it_opens_too(path: Path) -> None:
    path.with_name(path.name + SUFFIX).unlink()
    Index(path).close()
