from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.udx.ranges import RangeSet

pieces = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=30)


@given(pieces, st.integers(0, 80))
def test_it_is_a_set_of_numbers(pieces: list[tuple[int, int]], cut: int) -> None:
    ranges, model = RangeSet(), set[int]()
    for start, length in pieces:
        numbers = set(range(start, start + length))
        fresh = ranges.insert(start, start + length)
        assert {n for low, high in fresh for n in range(low, high)} == numbers - model
        model |= numbers
    assert {n for low, high in ranges.ranges for n in range(low, high)} == model
    assert all(n in ranges for n in model) and 99 not in ranges
    ends = [n for pair in ranges.ranges for n in pair]
    assert ends == sorted(set(ends))  # in order, and no two touch
    assert len(ranges) == len(ranges.ranges)
    ranges.drop_below(cut)
    assert {n for low, high in ranges.ranges for n in range(low, high)} == {
        n for n in model if n >= cut
    }


def test_of_many_ranges_the_lowest_and_the_highest_are_shown() -> None:
    ranges = RangeSet()
    for number in range(0, 200, 2):
        ranges.insert(number, number + 1)
    some = ranges.some(10)
    assert [start for start, _ in some] == [0, 2, 4, 6, 8, 190, 192, 194, 196, 198]
    assert len(ranges.some(1000)) == 100
