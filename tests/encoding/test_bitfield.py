"""The bitfield against a plain list of bits, and its promises about memory."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.encoding import PAGE_BITS, PAGE_BYTES, Bitfield, bitpage
from holdfast.errors import DecodeError

SIZE = 4 * PAGE_BITS
NEAR = st.builds(
    lambda page, offset: min(max(page * PAGE_BITS + offset, 0), SIZE),
    st.integers(0, 4),
    st.integers(-20, 20),
)
POSITIONS = NEAR | st.integers(0, SIZE)
STEPS = st.lists(st.tuples(POSITIONS, POSITIONS, st.booleans()), max_size=12)


def _filled(steps: list[tuple[int, int, bool]]) -> tuple[Bitfield, bytearray]:
    """The same ranges in a bitfield and in a byte per bit."""
    field, model = Bitfield(), bytearray(SIZE)
    for one, two, value in steps:
        low, high = sorted((one, two))
        expected = high - low - model[low:high].count(value)
        assert field.set_range(low, high - low, value) == expected
        model[low:high] = bytes([value]) * (high - low)
    return field, model


@given(STEPS, POSITIONS, POSITIONS)
def test_ranges_and_searches(steps: list[tuple[int, int, bool]], one: int, two: int) -> None:
    field, model = _filled(steps)
    low, high = sorted((one, two))
    assert field.count(low, high) == model[low:high].count(1)
    assert field.first_set(low, high) == model.find(1, low, high)
    assert field.first_set(low) == model.find(1, low)
    gap = model.find(0, low)
    assert field.first_unset(low) == (gap if gap >= 0 else SIZE)
    assert field.last_set(high) == model.rfind(1, 0, high)
    assert field.last_set() == model.rfind(1)
    for index in {low, high, min(low + 1, SIZE), max(high - 1, 0)} - {SIZE}:
        assert field.get(index) == bool(model[index])


@given(STEPS, STEPS, POSITIONS, POSITIONS)
def test_first_missing_in(
    steps: list[tuple[int, int, bool]],
    others: list[tuple[int, int, bool]],
    one: int,
    two: int,
) -> None:
    field, model = _filled(steps)
    other, other_model = _filled(others)
    low, high = sorted((one, two))
    difference = int.from_bytes(model, "little") & ~int.from_bytes(other_model, "little")
    expected = difference.to_bytes(SIZE, "little").find(1, low, high)
    assert field.first_missing_in(other, low, high) == expected


@given(STEPS, STEPS, st.integers(0, SIZE // 8), st.integers(0, SIZE // 8))
def test_bytes(
    steps: list[tuple[int, int, bool]],
    others: list[tuple[int, int, bool]],
    one: int,
    two: int,
) -> None:
    field, model = _filled(steps)
    target, target_model = _filled(others)
    low, high = sorted((one * 8, two * 8))
    data = field.get_bytes(low, high - low)
    bits = "".join(map(str, reversed(model[low:high])))
    assert data == int(bits or "0", 2).to_bytes((high - low) // 8, "little")
    target.set_bytes(low, data)
    target_model[low:high] = model[low:high]
    assert target.count(0, SIZE) == target_model.count(1)
    assert target.get_bytes(low, high - low) == data
    pages = [n for n in range(4) if any(target_model[n * PAGE_BITS : (n + 1) * PAGE_BITS])]
    assert list(target.page_numbers()) == pages
    assert b"".join(target.page(n) for n in range(4)) == target.get_bytes(0, SIZE)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 3 * PAGE_BITS), st.booleans()), max_size=60))
def test_single_bits(steps: list[tuple[int, bool]]) -> None:
    field, model = Bitfield(), set[int]()
    for index, value in steps:
        assert field.set(index, value) == ((index in model) != value)
        if value:
            model.add(index)
        else:
            model.discard(index)
        assert field.get(index) == value
    assert field.count(0, 4 * PAGE_BITS) == len(model)


def test_a_page_filled_bit_by_bit_costs_no_page() -> None:
    field = Bitfield(max_pages=1)
    order = list(range(PAGE_BITS))
    random.Random(7).shuffle(order)
    for index in order:
        assert field.set(index)
    assert field.first_unset() == PAGE_BITS
    assert not field._pages
    for index in order:
        assert field.set(index, False)
    assert not field._pages
    assert field.last_set() == -1


def test_absurd_claims_cost_next_to_nothing() -> None:
    field = Bitfield(max_pages=4)
    top = 1 << 53
    assert field.set_range(3, top - 3) == top - 3
    assert field.count(0, top) == top - 3
    assert field.first_unset(3) == top
    assert field.last_set() == top - 1
    assert field.set_range(1 << 40, 5, False) == 5
    assert field.first_unset(3) == 1 << 40
    assert field.first_set(1 << 40) == (1 << 40) + 5
    assert len(field._pages) + len(field._full) <= 4


def test_scattered_claims_are_stopped() -> None:
    field = Bitfield(max_pages=8)
    for number in range(8):
        field.set(number * 10 * PAGE_BITS)
    with pytest.raises(DecodeError, match="scattered"):
        field.set(1 << 50)
    with pytest.raises(DecodeError, match="scattered"):
        field.set_range(1 << 50, PAGE_BITS)
    field.set(5)


def test_dirty_pages() -> None:
    field = Bitfield(track_dirty=True)
    field.set(1)
    field.set(1)
    field.set_range(PAGE_BITS - 1, 2 * PAGE_BITS)
    field.set_bytes(5 * PAGE_BITS, b"\x01")
    assert field.take_dirty() == [0, 1, 2, 5]
    assert field.take_dirty() == []
    field.set_range(0, 6 * PAGE_BITS, False)
    assert field.take_dirty() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="track"):
        Bitfield().take_dirty()


def test_nonsense_from_our_own_code_is_refused() -> None:
    field = Bitfield()
    with pytest.raises(ValueError, match="negative"):
        field.set(-1)
    with pytest.raises(ValueError, match="negative"):
        field.set_range(-1, 5)
    with pytest.raises(ValueError, match="negative"):
        field.set_range(1, -5)
    for start, count in ((4, 8), (8, 4), (-8, 8)):
        with pytest.raises(ValueError, match="multiples of 8"):
            field.get_bytes(start, count)
    assert field.get(-1) is False
    assert field.last_set(0) == -1
    assert field.count(5, 5) == field.set_range(5, 0) == 0


def test_empty_and_full_bytes_keep_no_page() -> None:
    field = Bitfield()
    field.set_bytes(0, bytes(3 * PAGE_BYTES))
    field.set_bytes(PAGE_BITS, b"\xff" * PAGE_BYTES)
    assert not field._pages
    assert field.count(0, 3 * PAGE_BITS) == PAGE_BITS


@given(st.binary(min_size=1, max_size=40), st.data())
def test_bitpage_on_any_page(content: bytes, data: st.DataObject) -> None:
    bits = [byte >> i & 1 for byte in content for i in range(8)]
    low = data.draw(st.integers(0, len(bits) - 1))
    high = data.draw(st.integers(low + 1, len(bits)))
    page = bytearray(content)
    after = [i for i in range(low, len(bits)) if bits[i]]
    assert bitpage.first_one(page, low) == (after[0] if after else -1)
    clear = [i for i in range(low, len(bits)) if not bits[i]]
    assert bitpage.first_zero(page, low) == (clear[0] if clear else -1)
    before = [i for i in range(low + 1) if bits[i]]
    assert bitpage.last_one(page, low) == (before[-1] if before else -1)
    assert bitpage.count(page, low, high) == sum(bits[low:high])
    value = data.draw(st.booleans())
    bitpage.fill(page, low, high, value)
    bits[low:high] = [int(value)] * (high - low)
    assert [byte >> i & 1 for byte in page for i in range(8)] == bits
