"""compact-encoding: the peers' bytes, round trips, and refusal of everything else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast import encoding as e
from holdfast.errors import DecodeError

UINTS = st.integers(0, e.MAX_UINT) | st.integers(0, 1 << 18)

KNOWN = {
    0: "00",
    1: "01",
    252: "fc",
    253: "fdfd00",
    255: "fdff00",
    300: "fd2c01",
    65535: "fdffff",
    65536: "fe00000100",
    70000: "fe70110100",
    0xFFFFFFFF: "feffffffff",
    0x100000000: "ff0000000001000000",
    e.MAX_UINT: "ffffffffffffff1f00",
}


@pytest.mark.parametrize("value", KNOWN)
def test_uint_has_the_peers_bytes(value: int) -> None:
    assert e.encode_uint(value).hex() == KNOWN[value]
    assert e.decode_uint(bytes.fromhex(KNOWN[value]), 0) == (value, len(KNOWN[value]) // 2)


@pytest.mark.parametrize("longer", ["fd0100", "fe01000000", "ff0100000000000000"])
def test_longer_forms_are_read_as_the_peers_do(longer: str) -> None:
    data = bytes.fromhex(longer)
    assert e.decode_uint(data, 0) == (1, len(data))


@pytest.mark.parametrize("value", [-1, e.MAX_UINT + 1, 1 << 64])
def test_uint_outside_the_range_is_never_sent(value: int) -> None:
    with pytest.raises(ValueError, match="uint"):
        e.encode_uint(value)


@pytest.mark.parametrize("data", ["ff00000000000020", "ff0000000000002000", "ff" * 9])
def test_uint_beyond_javascript_is_refused(data: str) -> None:
    with pytest.raises(DecodeError):
        e.decode_uint(bytes.fromhex(data), 0)


CODECS: list[tuple[Callable[[Any], bytes], Callable[[Any, int], Any], Any]] = [
    (e.encode_uint, e.decode_uint, UINTS),
    (e.encode_int, e.decode_int, st.integers(-(1 << 52), (1 << 52) - 1)),
    (e.encode_uint64, e.decode_uint64, st.integers(0, (1 << 64) - 1)),
    (e.encode_buffer, e.decode_buffer, st.binary(max_size=400)),
    (e.encode_optional, e.decode_optional, st.none() | st.binary(min_size=1, max_size=300)),
    (e.encode_string, e.decode_string, st.text(max_size=200)),
    (e.encode_uint32_array, e.decode_uint32_array, st.binary(max_size=99).map(lambda b: b * 4)),
]


@pytest.mark.parametrize(("encode", "decode", "values"), CODECS)
@given(data=st.data(), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_round_trip_anywhere_in_a_message(
    encode: Callable[[Any], bytes],
    decode: Callable[[Any, int], Any],
    values: st.SearchStrategy[Any],
    data: st.DataObject,
    before: bytes,
    after: bytes,
) -> None:
    value = data.draw(values)
    encoded = encode(value)
    message = before + encoded + after
    for form in (message, bytearray(message), memoryview(message)):
        assert decode(form, len(before)) == (value, len(before) + len(encoded))
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode(before + encoded[:cut], len(before))


@pytest.mark.parametrize(("encode", "decode", "values"), CODECS)
@given(data=st.binary(max_size=60), position=st.integers(0, 70))
@example(data=b"\xff" + bytes(6) + b"\x10\x00", position=0)
def test_any_bytes_are_decoded_or_refused(
    encode: object,
    decode: Callable[[Any, int], Any],
    values: object,
    data: bytes,
    position: int,
) -> None:
    try:
        _, after = decode(data, position)
    except DecodeError:
        return
    assert position < after <= len(data)


def test_empty_and_none_look_the_same() -> None:
    assert e.encode_optional(None) == e.encode_optional(b"") == e.encode_buffer(b"") == b"\x00"
    assert e.decode_optional(b"\x00", 0) == (None, 1)


def test_text_must_be_utf8() -> None:
    with pytest.raises(DecodeError, match="UTF-8"):
        e.decode_string(b"\x02\xc3\x28", 0)


def test_fixed() -> None:
    assert e.decode_fixed(b"abcdef", 2, 3) == (b"cde", 5)
    assert e.decode_fixed(b"abc", 3, 0) == (b"", 3)
    with pytest.raises(DecodeError):
        e.decode_fixed(b"abc", 1, 3)


def test_words_come_in_fours() -> None:
    with pytest.raises(ValueError, match="four"):
        e.encode_uint32_array(b"abc")


@pytest.mark.parametrize(("size", "fits"), [(1, 4), (2, 2), (4, 1), (5, 0)])
def test_a_count_is_held_against_what_is_left(size: int, fits: int) -> None:
    assert e.decode_count(bytes([fits]) + b"1234", 0, size) == (fits, 1)
    with pytest.raises(DecodeError, match="more items"):
        e.decode_count(bytes([fits + 1]) + b"1234", 0, size)


@pytest.mark.parametrize("decode", [e.decode_buffer, e.decode_string, e.decode_uint32_array])
def test_nothing_is_allocated_on_the_word_of_a_prefix(
    decode: Callable[[bytes, int], object],
) -> None:
    tracemalloc.start()
    try:
        for prefix in (1 << 30, e.MAX_UINT):
            with pytest.raises(DecodeError):
                decode(e.encode_uint(prefix) + b"few", 0)
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    finally:
        tracemalloc.stop()
