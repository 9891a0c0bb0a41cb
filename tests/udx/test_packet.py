from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.udx.packet import (
    HEADER_BYTES,
    MAX_SACKS,
    SACK,
    Header,
    encode,
    encode_ranges,
    parse,
    ranges_of,
    stream_of,
    unwrap,
)

u8, u32 = st.integers(0, 255), st.integers(0, 2**32 - 1)
headers = st.builds(Header, u8, st.just(0), u32, u32, u32, u32)


@given(headers, st.binary(max_size=64))
def test_a_header_comes_back(header: Header, payload: bytes) -> None:
    data = encode(header) + payload
    assert parse(data) == header == parse(memoryview(data))
    assert stream_of(data) == header.stream_id


def test_the_layout_is_that_of_libudx() -> None:
    header = Header(1, 32, 0x04030201, 0x00400000, 7, 9)
    assert encode(header).hex() == "ff01012001020304000040000700000009000000"


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    header = parse(data)
    assert (header is None) == (
        len(data) < HEADER_BYTES or data[:2] != b"\xff\x01" or data[3] > len(data) - HEADER_BYTES
    )
    if header is not None:
        assert len(ranges_of(header, data)) <= MAX_SACKS
    assert stream_of(data) is None or data[:2] == b"\xff\x01"


@given(st.lists(st.tuples(u32, u32), max_size=80), st.binary(max_size=7))
def test_ranges_come_back(ranges: list[tuple[int, int]], rest: bytes) -> None:
    header = Header(SACK, 0, 1, 2, 3, 4)
    data = encode(header) + encode_ranges(ranges) + rest
    assert ranges_of(header, data) == ranges[:MAX_SACKS]
    assert ranges_of(header._replace(kind=0), data) == []


def test_ranges_before_a_payload_end_where_it_begins() -> None:
    header = Header(SACK, 8, 1, 2, 3, 4)
    data = encode(header) + encode_ranges([(5, 6)]) + b"payload here"
    assert ranges_of(header, data) == [(5, 6)]


@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
def test_numbers_wrap(near: int, distance: int) -> None:
    assert unwrap((near + distance) & 0xFFFFFFFF, near) == near + distance
