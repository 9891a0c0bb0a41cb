"""Frames come out whole however the stream was cut, and cost only what has arrived."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DecodeError
from holdfast.wire.framing import MAX_FRAME, FrameReader, frame

BODIES = st.lists(st.binary(max_size=50) | st.binary(min_size=200, max_size=400), max_size=12)


def chopped(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` in pieces that end at ``cuts`` (modulo its length)."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


CUTS = st.lists(st.integers(0, 5000), max_size=20)


@given(BODIES, CUTS)
def test_any_chopping(bodies: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader()
    stream = b"".join(map(frame, bodies))
    got = []
    for piece in chopped(stream, cuts):
        buffer = bytearray(piece)
        got += [bytes(body) for body in reader.split(memoryview(buffer))]
        buffer[:] = bytes(len(buffer))  # the caller's buffer is its own again
    assert got == bodies
    assert reader.pending == 0


@given(BODIES)
def test_byte_by_byte(bodies: list[bytes]) -> None:
    reader = FrameReader()
    stream = b"".join(map(frame, bodies))
    got = [bytes(b) for i in range(len(stream)) for b in reader.split(stream[i : i + 1])]
    assert got == bodies


@pytest.mark.parametrize("whole", [True, False])
def test_the_limit_is_checked_before_anything_is_kept(whole: bool) -> None:
    reader = FrameReader(limit=10)
    assert [bytes(b) for b in reader.split(frame(bytes(10)))] == [bytes(10)]
    over = frame(bytes(11))
    with pytest.raises(DecodeError, match="11"):
        for piece in [over] if whole else [over[:2], over[2:]]:
            list(reader.split(piece))


def test_the_limit_may_change_between_two_frames() -> None:
    reader = FrameReader(limit=1)
    got = []
    for body in reader.split(frame(b"a") + frame(b"long now")):
        got.append(bytes(body))
        reader.limit = 100
    assert got == [b"a", b"long now"]


def test_a_promise_of_much_costs_little() -> None:
    reader = FrameReader()
    tracemalloc.start()
    try:
        assert list(reader.split(b"\xff\xff\xff" + bytes(1000))) == []
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024
    finally:
        tracemalloc.stop()
    assert reader.pending == 1003


def test_a_large_frame_in_small_pieces_is_not_moved_again_and_again() -> None:
    """Sixteen thousand pieces would take minutes if each copied what came before."""
    body = bytes(MAX_FRAME)
    stream = memoryview(frame(body))
    reader = FrameReader()
    got = [len(b) for i in range(0, len(stream), 1024) for b in reader.split(stream[i : i + 1024])]
    assert got == [MAX_FRAME]


def test_a_body_has_a_longest_length() -> None:
    assert frame(b"abc") == b"\x03\x00\x00abc"
    with pytest.raises(ValueError, match="2\\*\\*24"):
        frame(bytes(MAX_FRAME + 1))
