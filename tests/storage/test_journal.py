"""The journal: what is written is read back, up to where it stops making sense."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import DamagedError
from holdfast.storage.journal import NAMES, RECORD_HEADER, SMALL, START, Journal, JournalFile
from holdfast.storage.journal_scan import scan

BODIES = [b"a", b"second record " * 5, bytes(300), b"the last one"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in NAMES:
        JournalFile.create(tmp_path / name)
    return tmp_path


@pytest.fixture
def journal(directory: Path) -> Iterator[Journal]:
    opened = Journal(directory, os.urandom)
    yield opened
    opened.close()


def bodies(path: Path) -> list[bytes]:
    file = JournalFile(path)
    try:
        return bodies_in(file)
    finally:
        file.close()


def bodies_in(file: JournalFile) -> list[bytes]:
    return [record.body(file) for record in scan(file).records]


def test_records_are_read_back_in_order(journal: Journal, directory: Path) -> None:
    assert [journal.append(body) for body in BODIES] == [1, 2, 3, 4]
    found = scan(journal.live[0])
    assert [record.seq for record in found.records] == [1, 2, 3, 4]
    assert bodies_in(journal.live[0]) == BODIES
    assert found.records[-1].end == journal.tail
    assert found.rest_is_blank


def test_a_record_tells_what_was_durable_before_it(journal: Journal) -> None:
    journal.append(b"a")
    journal.synced = 1
    journal.append(b"b")
    assert scan(journal.live[0]).synced == 1


def test_records_larger_than_a_growth_step(journal: Journal) -> None:
    large = os.urandom(9 << 20)
    journal.append(b"a")
    journal.append(large)
    journal.append(b"b")
    assert bodies_in(journal.live[0]) == [b"a", large, b"b"]


def test_an_epoch_does_not_see_the_one_before_in_its_file(journal: Journal) -> None:
    for body in BODIES:
        journal.append(body)
    first = journal.live[0]
    journal.switch()
    assert len(journal.live) == 2
    assert not journal.can_switch
    journal.append(b"other file")
    journal.retire(1)
    assert journal.can_switch
    journal.retire(2)
    assert journal.epoch == 0
    journal.append(b"b")  # as long as what lies there from epoch 1
    assert journal.live == [first]
    assert journal.epoch == 3
    found = scan(first)
    assert [(record.seq, record.body(first)) for record in found.records] == [(6, b"b")]
    assert not found.rest_is_blank


@pytest.mark.parametrize("cut", range(1, RECORD_HEADER + len(BODIES[-1]) + 1))
def test_a_record_cut_off_anywhere_is_left_out(journal: Journal, cut: int) -> None:
    for body in BODIES:
        journal.append(body)
    file = journal.live[0]
    os.pwrite(file.fd, bytes(cut), journal.tail - cut)
    if cut <= 4 and bytes(cut) == BODIES[-1][-cut:]:
        pytest.skip("nothing changed")
    assert bodies_in(file) == BODIES[:-1]


def test_any_single_flipped_bit_is_put_right(journal: Journal) -> None:
    for body in BODIES:
        journal.append(body)
    file = journal.live[0]
    for position in range(START, journal.tail):
        old = os.pread(file.fd, 1, position)
        for bit in range(8):
            os.pwrite(file.fd, bytes([old[0] ^ 1 << bit]), position)
            assert bodies_in(file) == BODIES, (position, bit)
        os.pwrite(file.fd, old, position)


def test_two_flipped_bits_never_make_another_record(journal: Journal) -> None:
    for body in BODIES:
        journal.append(body)
    file = journal.live[0]
    start = journal.tail - RECORD_HEADER - len(BODIES[-1])
    for position in range(start, journal.tail - 1):
        old = os.pread(file.fd, 2, position)
        os.pwrite(file.fd, bytes([old[0] ^ 1, old[1] ^ 16]), position)
        assert bodies_in(file) in (BODIES[:-1], BODIES)
        os.pwrite(file.fd, old, position)


def test_either_copy_of_the_header_is_enough(journal: Journal, directory: Path) -> None:
    journal.append(b"a")
    path = journal.live[0].path
    for position in (0, 2048):
        old = os.pread(journal.live[0].fd, 8, position)
        os.pwrite(journal.live[0].fd, b"garbage!", position)
        assert bodies(path) == [b"a"]
        os.pwrite(journal.live[0].fd, old, position)
    os.pwrite(journal.live[0].fd, bytes(4096), 0)
    with pytest.raises(DamagedError):
        bodies(path)


def test_a_failed_write_leaves_the_journal_as_it_was(journal: Journal) -> None:
    import resource

    journal.append(b"a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL + 5000, limits[1]))
    try:
        with pytest.raises(OSError):
            journal.append(bytes(SMALL + 10000))
        assert journal.live[0].size == SMALL
        assert journal.append(b"b") == 2
        # As much as there is room for, if not the usual step.
        assert journal.append(os.urandom(SMALL - START)) == 3
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [record.seq for record in scan(journal.live[0]).records] == [1, 2, 3]


def test_what_is_idle_is_given_back(journal: Journal) -> None:
    journal.append(bytes(1 << 20))
    journal.shrink()
    assert journal.live[0].size > SMALL
    journal.retire(1)
    journal.shrink()
    assert [file.size for file in journal.files] == [SMALL, SMALL]
