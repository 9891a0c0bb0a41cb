"""The collector's threshold is raised once, and never over a program's own choice."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from holdfast.store import Store
from holdfast.store.collector import CALM, PYTHONS_OWN


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(("chosen", "then"), [(PYTHONS_OWN[0], CALM), (1234, 1234), (0, 0)])
async def test_opening_a_store_leaves_a_chosen_number_alone(chosen: int, then: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    async with await Store.open(None):
        assert gc.get_threshold()[0] == then
        assert gc.isenabled()
