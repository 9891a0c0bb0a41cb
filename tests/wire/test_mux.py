"""Channels between two sides: opening, talking, closing, and being lied to."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import encode_buffer, encode_string, encode_uint
from holdfast.errors import ClosedError, DecodeError
from holdfast.wire import Mux
from holdfast.wire.mux import HIGH_WATER
from holdfast.wire.roster import (
    MAX_CHANNELS,
    MAX_EARLY_BYTES,
    MAX_EARLY_TOTAL,
    MAX_OPEN_BYTES,
    MAX_UNANSWERED,
)
from tests.vectors.load import unhex
from tests.wire.muxes import Side, settle


def open_message(
    number: int, protocol: str = "p", id: bytes = b"", handshake: bytes = b""
) -> bytes:
    """What the other side sends to open a channel."""
    fields = encode_uint(number) + encode_string(protocol) + encode_buffer(id)
    return b"\x00\x01" + fields + handshake


# ---------------------------------------------------------------- bytes


def test_golden_open_message_and_close() -> None:
    side = Side()
    channel = side.channel("hypercore/alpha", b"\xdd" * 32).open(b"\x01" + b"\xcc" * 32)
    assert side.flush() == [unhex("protomux", "open")]
    channel.send(1, b"\x03one")
    assert side.flush() == [unhex("protomux", "message")]
    channel.send(1, b"\x03one")
    channel.send(1, b"\x03two")
    assert side.flush() == [unhex("protomux", "batch")]
    channel.channel.close()
    assert side.flush() == [unhex("protomux", "close")]


def test_golden_messages_are_understood() -> None:
    side = Side()
    channel = side.channel("hypercore/alpha", b"\xdd" * 32).open()
    for name in ("open", "message", "batch"):
        side.mux.receive(unhex("protomux", name))
    assert channel.handshakes == [b"\x01" + b"\xcc" * 32]
    assert channel.got == [(1, b"\x03one")] * 2 + [(1, b"\x03two")]
    side.mux.receive(unhex("protomux", "close"))
    assert channel.closes == [True]


def test_control_messages_inside_a_batch() -> None:
    """A peer that answers from within a batch puts opens and closes into one."""
    side = Side()
    channel = side.channel("p", b"").open()
    opening = open_message(1)[1:]
    batch = b"\x00\x00\x00" + encode_uint(len(opening)) + opening
    batch += b"\x00\x01" + b"\x03\x02hi" + b"\x00\x00" + b"\x02\x03\x01"
    side.mux.receive(batch)
    assert channel.handshakes == [b""]
    assert channel.got == [(2, b"hi")]
    assert channel.closes == [True]


# ---------------------------------------------------------------- opening


def test_both_open_and_talk() -> None:
    one, two = Side(), Side()
    a, b = one.channel().open(b"from one"), two.channel().open(b"from two")
    settle(one, two)
    assert (a.handshakes, b.handshakes) == ([b"from two"], [b"from one"])
    assert a.channel.opened
    assert a.send(0, b"hello")
    assert b.send(2, b"")
    settle(one, two)
    assert (a.got, b.got) == ([(2, b"")], [(0, b"hello")])
    assert one.asked == two.asked == []


def test_an_open_is_answered_on_request() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel("p", b"id").open(b"please")
    settle(one, two)
    assert two.asked == [("p", b"id")]
    assert two.made[0].handshakes == [b"please"]
    assert a.handshakes == [b"answer"]


def test_an_open_nobody_wants_is_rejected() -> None:
    one, two = Side(), Side()
    a = one.channel().open()
    assert a.send(0, b"into the void")
    settle(one, two)
    assert a.closes == [True]
    assert a.channel.closed
    assert not a.send(0, b"x")
    assert one.mux.channels() == two.mux.channels() == []


def test_an_open_may_wait_and_what_came_early_is_kept() -> None:
    one, two = Side(), Side({"p": "later"})
    a = one.channel("p", b"x").open(b"please")
    a.send(0, b"first")
    a.send(1, b"second")
    settle(one, two)
    assert two.mux.waiting("p", b"x")
    assert a.handshakes == []
    b = two.channel("p", b"x").open()
    assert b.handshakes == [b"please"]
    assert b.got == a.sent
    assert not two.mux.waiting("p", b"x")
    settle(one, two)
    assert a.handshakes == [b""]


def test_an_open_that_waited_may_be_rejected() -> None:
    one, two = Side(), Side({"p": "later"})
    a, b = one.channel().open(), one.channel().open()
    a.send(0, bytes(100))
    settle(one, two)
    two.mux.reject("p")
    two.mux.reject("q")
    settle(one, two)
    assert a.closes == b.closes == [True]
    assert two.mux._roster.early_bytes == 0
    assert two.mux._roster._unanswered == 0


def test_an_open_that_waited_may_be_withdrawn() -> None:
    one, two = Side(), Side({"p": "later"})
    a = one.channel().open()
    settle(one, two)
    a.channel.close()
    settle(one, two)
    assert not two.mux.waiting("p")
    assert one.mux._roster.local == [None]
    assert a.closes == [False]


def test_early_messages_of_unknown_types_are_ignored() -> None:
    one, two = Side(), Side({"p": "later"})
    a = one.channel().open()
    a.channel.send(9, b"who knows")
    a.send(0, b"known")
    settle(one, two)
    assert two.channel().open().got == [(0, b"known")]


def test_a_mux_may_be_polled_instead_of_waking() -> None:
    mux = Mux()
    mux.channel("p").open()
    assert len(mux.to_send()) == 1
    mux.receive(open_message(1, "q"))
    assert [b"".join(parts) for parts in mux.to_send()] == [b"\x00\x02\x01"]


def test_a_closed_channel_does_not_hear_what_came_early() -> None:
    one, two = Side(), Side({"p": "later"})
    one.channel().open().send(0, b"early")
    settle(one, two)
    b = two.channel("p")
    b.channel.on_open = lambda handshake: b.channel.close()
    b.open()
    assert b.got == []


def test_a_request_handler_sees_the_handshake_first() -> None:
    one, two = Side(), Side({"hypercore/alpha": "open"})
    seen: list[tuple[bytes, bytes]] = []

    def requested(id: bytes, handshake: memoryview) -> bool | None:
        seen.append((id, bytes(handshake)))
        if bytes(handshake) == b"good":
            two.channel("hypercore/alpha", id).open()
        return None

    two.mux.on_request("hypercore", requested)
    bad = one.channel("hypercore/alpha", b"1").open(b"bad")
    good = one.channel("hypercore/alpha", b"2").open(b"good")
    settle(one, two)
    assert seen == [(b"1", b"bad"), (b"2", b"good")]
    assert bad.closes == [True]
    assert good.channel.opened
    assert two.asked == []


@pytest.mark.parametrize("ours", ["hypercore", "hypercore/alpha"])
@pytest.mark.parametrize("theirs", ["hypercore", "hypercore/alpha"])
def test_the_old_name_means_the_same(ours: str, theirs: str) -> None:
    side = Side({"hypercore/alpha": "later"})
    side.mux.receive(open_message(1, theirs, b"k"))
    assert side.asked == [("hypercore/alpha", b"k")]
    assert side.mux.waiting(ours, b"k")
    assert side.channel(ours, b"k").open().channel.opened


def test_channels_of_one_name_pair_in_order() -> None:
    one, two = Side(), Side()
    for n in range(3):
        one.channel().open(b"one %d" % n)
    for n in range(3):
        two.channel().open(b"two %d" % n)
    settle(one, two)
    assert [r.handshakes for r in one.made] == [[b"two %d" % n] for n in range(3)]
    assert [r.handshakes for r in two.made] == [[b"one %d" % n] for n in range(3)]


def test_a_channel_opens_once() -> None:
    side = Side()
    channel = side.channel()
    assert not channel.send(0, b"not open")
    channel.open()
    with pytest.raises(ClosedError):
        channel.open()
    unopened = side.channel()
    unopened.channel.close()
    with pytest.raises(ClosedError):
        unopened.open()
    assert unopened.closes == []


# ---------------------------------------------------------------- closing


def test_close_is_told_once_to_each_side() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel().open()
    settle(one, two)
    a.channel.close()
    a.channel.close()
    settle(one, two)
    assert a.closes == [False]
    assert two.made[0].closes == [True]
    assert one.mux.channels() == two.mux.channels() == []


def test_messages_on_their_way_to_a_closed_channel_are_ignored() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel().open()
    settle(one, two)
    b = two.made[0]
    b.send(0, b"crossing")
    a.channel.close()
    b.channel.close()
    settle(one, two)
    assert a.got == []
    assert (a.closes, b.closes) == ([False], [False])


def test_numbers_are_used_again() -> None:
    one, two = Side(), Side({"p": "open"})
    for n in range(50):
        a = one.channel().open()
        a.send(0, b"%d" % n)
        if n % 2:
            settle(one, two)
        a.channel.close()
        settle(one, two)
    assert [r.got for r in two.made] == [[(0, b"%d" % n)] for n in range(50)]
    assert one.mux._roster.local == [None]
    assert two.mux._roster.remote == [None]


def test_shut_down_closes_everything_once() -> None:
    one, two = Side(), Side({"p": "open"})
    a, b = one.channel().open(), one.channel("q").open()
    settle(one, two)
    late = one.channel()
    one.mux.shut_down()
    one.mux.shut_down()
    assert a.closes == b.closes == [True]
    assert one.flush() == []
    late.open()
    assert late.closes == [True]
    one.mux.receive(open_message(1))
    assert not a.send(0, b"x")
    a.channel.close()


def test_shut_down_while_channels_close_each_other() -> None:
    one, two = Side(), Side({"p": "open", "q": "open"})
    a, b = one.channel().open(), one.channel("q").open()
    settle(one, two)

    def close_the_other(remote: bool) -> None:
        b.channel.close()

    a.channel.on_close = close_the_other
    one.mux.shut_down()
    assert b.closes == [True]
    assert one.flush() == []


def test_shut_down_from_inside_a_batch() -> None:
    side = Side()
    channel = side.channel().open()
    side.mux.receive(open_message(1))
    channel.channel.handlers = [lambda body: side.mux.shut_down(), lambda body: pytest.fail("late")]
    side.mux.receive(b"\x00\x00\x01\x01\x00\x01\x01")
    assert channel.closes == [True]


# ---------------------------------------------------------------- sending


def test_one_turn_is_one_message_and_one_wake() -> None:
    """S5-22: a thousand small messages on two channels, and the wake that sends them."""
    one, two = Side(), Side({"p": "open", "q": "open"})
    a, b = one.channel().open(), one.channel("q").open()
    settle(one, two)
    one.wakes = 0
    for n in range(1000):
        (a, b)[n % 2].send(0, b"%d" % (n % 10))
    assert one.wakes == 1
    assert len(one.flush()) == 1
    a.send(0, b"next turn")
    assert one.wakes == 2
    settle(one, two)
    assert [r.got for r in two.made] == [a.sent, b.sent]


def test_a_body_in_pieces() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel().open()
    settle(one, two)
    large = bytes(range(256)) * 400
    a.channel.send(1, [b"head", memoryview(b"tail")])
    a.channel.send(100, b"a type nobody handles")
    a.channel.send(2, [b"<", large, b">"])
    settle(one, two)
    assert two.made[0].got == [(1, b"headtail"), (2, b"<" + large + b">")]


def test_cork_spans_turns() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel().open()
    settle(one, two)
    one.wakes = 0
    with one.mux.corked(), one.mux.corked():
        a.channel.send(0)
        assert one.flush() == []
        a.channel.send(0)
    assert one.wakes == 1
    assert one.flush() == [b"\x00\x00\x01\x01\x00\x01\x00"]
    with one.mux.corked():
        pass
    assert one.wakes == 1
    a.channel.send(0)
    assert one.wakes == 2


def test_a_full_socket_holds_the_senders_until_it_has_room() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel().open()
    settle(one, two)
    assert a.channel.drained
    one.mux.pause_writing()
    one.mux.resume_writing()
    assert a.drains == 0  # nobody asked meanwhile
    one.mux.pause_writing()
    assert not a.channel.drained
    one.flush()
    assert a.drains == 0
    one.mux.resume_writing()
    assert a.drains == 1
    assert a.channel.drained


def test_a_full_queue_holds_the_senders_until_it_is_taken() -> None:
    one, two = Side(), Side({"p": "open"})
    a = one.channel().open()
    settle(one, two)
    block = bytes(65536)
    sent = 0
    while a.channel.drained:
        a.send(0, block)
        sent += 1
    assert sent == HIGH_WATER // len(block)
    assert len(one.flush()) == sent
    assert a.drains == 1


def test_who_closes_while_others_drain() -> None:
    one, two = Side(), Side({"p": "open", "q": "open"})
    a, b = one.channel().open(), one.channel("q").open()
    settle(one, two)
    one.mux.pause_writing()
    assert not one.mux.drained
    a.channel.on_drain = b.channel.close
    one.mux.resume_writing()
    assert b.drains == 0


# ---------------------------------------------------------------- being lied to


def test_early_talk_first_pauses_then_ends_the_connection() -> None:
    side = Side({"p": "later"})
    side.mux.receive(open_message(1))
    message = b"\x01\x00" + bytes(8000)
    received = 0
    while side.mux.reading:
        side.mux.receive(message)
        received += 1
    assert received == MAX_EARLY_BYTES // 8512 + 1
    with pytest.raises(DecodeError, match="nobody has opened"):
        for _ in range(MAX_EARLY_TOTAL // 8512 + 1):
            side.mux.receive(message)


def test_reading_resumes_when_the_channel_opens() -> None:
    side = Side({"p": "later"})
    side.mux.receive(open_message(1))
    side.mux.receive(b"\x01\x00" + bytes(40_000))
    assert not side.mux.reading
    side.flush()
    side.wakes = 0
    side.channel().open()
    assert side.mux.reading
    assert side.wakes == 1


@pytest.mark.parametrize(
    "message",
    [
        b"\x00",
        b"\x00\x01",
        b"\x00\x02",
        b"\x00\x03",
        b"\x01",
        b"\x00\x00",
        b"\x00\x00\x01\x05\x00",
        b"\x00\x00\x01\x01\xfd\x00",
        b"\x00\x00\x01\x01\xfd\x00\x00\x00",
        b"\x00\x00\x00\x04\x00\x01\x01\x00",
        b"\x00\x02\x01",
        b"\x00\x02\x00",
        open_message(0),
        open_message(3),
        open_message(1, handshake=bytes(MAX_OPEN_BYTES)),
        b"\x00\x01\x01\x02\xc3\x28\x00",
        b"\x00\x01\x01\xff" + b"\xff" * 8,
    ],
    ids=bytes.hex,
)
def test_messages_that_break_the_rules(message: bytes) -> None:
    side = Side({"p": "later"})
    with pytest.raises(DecodeError):
        side.mux.receive(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x05\x00",
        b"\x00\x03\x07",
        b"\x00\x03\x00",
        b"\x00\x07junk",
        b"\xfe\xff\xff\xff\xff\x01",
    ],
)
def test_messages_that_are_ignored(message: bytes) -> None:
    side = Side()
    side.mux.receive(message)
    assert side.flush() == []


def test_a_number_in_use_is_not_opened_again() -> None:
    side = Side({"p": "open"})
    side.mux.receive(open_message(1))
    with pytest.raises(DecodeError, match="not free"):
        side.mux.receive(open_message(1))


def test_a_paired_channel_is_not_rejected() -> None:
    side = Side({"p": "open"})
    side.mux.receive(open_message(1))
    with pytest.raises(DecodeError, match="not waiting"):
        side.mux.receive(b"\x00\x02\x01")


def test_unanswered_opens_are_bounded() -> None:
    side = Side({"p": "later"})
    for number in range(1, MAX_UNANSWERED + 1):
        side.mux.receive(open_message(number))
    with pytest.raises(DecodeError, match="more channels"):
        side.mux.receive(open_message(MAX_UNANSWERED + 1))


def test_hostile_opens_cost_little() -> None:
    side = Side()
    tracemalloc.start()
    try:
        for number in range(1, 20_000):
            side.mux.receive(open_message(number, f"p{number}"))
            side.mux.to_send()
        side.asked.clear()
        assert tracemalloc.get_traced_memory()[0] < 512 * 1024
    finally:
        tracemalloc.stop()


def test_refused_opens_leave_nothing_but_their_numbers() -> None:
    side = Side()
    for number in range(1, 2000):
        side.mux.receive(open_message(number, f"p{number}"))
        side.mux.to_send()
    roster = side.mux._roster
    assert roster._waiting == {}
    assert set(roster.remote) == {None}


def test_numbers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side()
    side.mux._roster.remote = [None] * MAX_CHANNELS
    with pytest.raises(DecodeError, match="not free"):
        side.mux.receive(open_message(MAX_CHANNELS + 1))


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_handled_or_refused(messages: list[bytes]) -> None:
    side = Side({"p": "open", "": "later"})
    side.channel("q").open()
    side.mux.receive(open_message(1, "p"))
    try:
        for message in messages:
            side.mux.receive(message)
            side.flush()
    except DecodeError:
        pass


STEMS = st.sampled_from(
    [
        open_message(1, "p", b"id", b"handshake"),
        open_message(2, "q", b"", b""),
        b"\x01\x00hello",
        b"\x00\x00\x01\x03\x00hi\x02\x01x\x00\x02\x02\x00y",
        b"\x00\x02\x01",
        b"\x00\x03\x01",
    ]
)


@given(st.lists(st.tuples(STEMS, st.integers(0, 40), st.integers(0, 255)), max_size=8))
def test_mutated_messages_are_handled_or_refused(changes: list[tuple[bytes, int, int]]) -> None:
    side = Side({"p": "open", "q": "later"})
    try:
        for stem, place, value in changes:
            message = bytearray(stem)
            if place < len(message):
                message[place] = value
            side.mux.receive(message)
            side.flush()
    except DecodeError:
        pass
    assert side.mux._roster.early_bytes <= MAX_EARLY_TOTAL


def test_what_a_handler_raises_passes_through() -> None:
    side = Side()
    channel = side.channel().open()
    side.mux.receive(open_message(1))

    def fail(body: memoryview) -> None:
        raise RuntimeError("a bug of ours")

    channel.channel.handlers = [None, fail]
    side.mux.receive(b"\x01\x00nobody")
    with pytest.raises(RuntimeError, match="ours"):
        side.mux.receive(b"\x01\x01somebody")
