"""Ranges against a plain set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import Spans

SMALL = st.integers(0, 40)
STEPS = st.lists(st.tuples(st.booleans(), SMALL, st.integers(1, 12)), max_size=30)


@given(STEPS, SMALL, SMALL)
def test_spans_are_a_set(steps: list[tuple[bool, int, int]], low: int, high: int) -> None:
    spans, model = Spans(), set[int]()
    for adding, start, size in steps:
        if adding:
            spans.add(start, start + size)
            model.update(range(start, start + size))
        else:
            spans.remove(start, start + size)
            model.difference_update(range(start, start + size))
    ranges = list(spans)
    assert {n for start, end in ranges for n in range(start, end)} == model
    assert all(end < after for (_, end), (after, _) in zip(ranges, ranges[1:], strict=False))
    assert len(spans) == len(ranges)
    for number in range(60):
        assert (number in spans) == (number in model)
        assert spans.next(number) == min((n for n in model if n >= number), default=-1)
        assert spans.previous(number) == max((n for n in model if n <= number), default=-1)
        end = next((end for start, end in ranges if start <= number < end), -1)
        assert spans.end_of(number) == end
    assert spans.overlap(low, high) == len(model & set(range(low, high)))


def test_huge_ranges_cost_nothing() -> None:
    spans = Spans()
    spans.add(5, 1 << 60)
    spans.remove(1 << 40, (1 << 40) + 1)
    assert list(spans) == [(5, 1 << 40), ((1 << 40) + 1, 1 << 60)]
    assert spans.overlap(0, 1 << 61) == (1 << 60) - 6
