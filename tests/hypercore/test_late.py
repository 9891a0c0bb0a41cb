"""Answers that are set aside come back in order, each with its own hash."""

from __future__ import annotations

import pytest

from holdfast.hypercore.late import LARGE, MAX_WAITING, Late
from holdfast.hypercore.message_types import BlockData, Data, HashData
from holdfast.hypercore.requests import Sent
from holdfast.hypercore.tree import leaf_hash

Taken = list[tuple[int, bytes | None]]


def answer(number: int, size: int) -> tuple[Sent, Data]:
    value = bytes([number]) * size
    return Sent(number, 0, 0.0), Data(number, 0, BlockData(number, value, []))


@pytest.fixture
def taken() -> Taken:
    return []


@pytest.fixture
def late(taken: Taken) -> Late:
    return Late(lambda sent, data, digest: taken.append((sent.id, digest)))


def test_large_blocks_wait_and_come_in_order_with_their_hashes(late: Late, taken: Taken) -> None:
    for number in range(9):
        late.add(*answer(number, LARGE + number))
    assert taken == [] and not late.empty
    late.settle()
    assert taken == [(n, leaf_hash(bytes([n]) * (LARGE + n))) for n in range(9)]
    assert late.empty


def test_a_small_block_comes_after_those_before_it(late: Late, taken: Taken) -> None:
    late.add(*answer(1, LARGE))
    late.add(*answer(2, 10))
    assert [number for number, _ in taken] == [1, 2] and taken[1][1] is None


def test_proofs_of_more_than_a_block_are_not_set_aside(late: Late, taken: Taken) -> None:
    sent, data = answer(1, LARGE)
    late.add(sent, data._replace(hash=HashData(1, [])))
    assert taken == [(1, None)]


def test_what_waits_is_bounded(late: Late, taken: Taken) -> None:
    for number in range(MAX_WAITING // LARGE):
        late.add(*answer(number % 250, LARGE))
    assert len(taken) == MAX_WAITING // LARGE


def test_one_that_fails_does_not_lose_the_rest() -> None:
    taken: list[int] = []

    def take(sent: Sent, data: Data, digest: bytes | None) -> None:
        taken.append(sent.id)
        if sent.id == 1:
            raise OSError("a disk")

    late = Late(take)
    for number in range(4):
        late.add(*answer(number, LARGE))
    with pytest.raises(OSError, match="a disk"):
        late.settle()
    late.settle()
    assert taken == [0, 1, 2, 3]
