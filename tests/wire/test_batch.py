"""What leaves in one turn: few messages, in order, large ones uncopied."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import encode_uint
from holdfast.wire.batch import BATCH_BYTES, LARGE_BODY, Outbox, Parts
from tests.vectors.load import unhex


def filled(*messages: tuple[int, int, bytes]) -> Outbox:
    """An outbox holding these (channel, type, body)."""
    outbox = Outbox()
    for channel, type, body in messages:
        outbox.add(channel, encode_uint(type), (body,), len(body))
    return outbox


def joined(messages: list[Parts]) -> list[bytes]:
    """The messages as the stream will send them."""
    return [b"".join(parts) for parts in messages]


def test_golden_message() -> None:
    assert joined(filled((1, 1, b"\x03one")).take()) == [unhex("protomux", "message")]


def test_golden_batch() -> None:
    outbox = filled((1, 1, b"\x03one"), (1, 1, b"\x03two"))
    assert joined(outbox.take()) == [unhex("protomux", "batch")]


def test_channels_are_switched_inside_a_batch() -> None:
    outbox = filled((1, 0, b"a"), (300, 2, b"b"), (1, 0, b""))
    expected = "0000" + "01" + "020061" + "00fd2c01" + "020262" + "0001" + "0100"
    assert joined(outbox.take()) == [bytes.fromhex(expected)]


def test_nothing_is_nothing() -> None:
    outbox = Outbox()
    assert not outbox
    assert outbox.take() == []
    outbox.add(1, b"\x00", (), 0)
    assert outbox
    assert joined(outbox.take()) == [b"\x01\x00"]
    assert not outbox


def test_large_bodies_go_alone_in_their_place_and_uncopied() -> None:
    large = bytes(LARGE_BODY)
    outbox = filled((1, 0, b"a"), (1, 0, b"b"), (2, 3, large), (1, 0, b"c"))
    messages = outbox.take()
    assert joined(messages) == [
        b"\x00\x00\x01\x02\x00a\x02\x00b",
        b"\x02\x03" + large,
        b"\x01\x00c",
    ]
    assert any(part is large for part in messages[1])


def test_a_thousand_single_bytes_are_one_message() -> None:
    assert len(filled(*[(1, 0, b"x")] * 1000).take()) == 1


def test_a_batch_has_an_end() -> None:
    body = bytes(1000)
    messages = joined(filled(*[(1, 0, body)] * 200).take())
    assert len(messages) == -(-200 * 1000 // BATCH_BYTES)
    assert all(len(message) < BATCH_BYTES + 2000 for message in messages)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 300), st.binary(max_size=40))))
def test_queued_tells_about_how_much_there_is(messages: list[tuple[int, int, bytes]]) -> None:
    outbox = filled(*messages)
    queued = outbox.queued
    size = sum(map(len, joined(outbox.take())))
    assert size - 9 * len(messages) - 8 <= queued <= size + 4 * len(messages)
    assert outbox.queued == 0
