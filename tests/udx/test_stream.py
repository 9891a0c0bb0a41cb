"""The life of a stream, packet by packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.udx import Addr, Burst, Cause, Closed, Ended, Header, Message, RemoteChanged, Stream
from holdfast.udx.packet import (
    DATA,
    DESTROY,
    END,
    HEARTBEAT,
    MESSAGE,
    SACK,
    encode,
    encode_ranges,
    parse,
    ranges_of,
)
from holdfast.udx.stream import LINGER, MAX_MESSAGE, PREVIOUS_TIME

HERE, THERE, ELSEWHERE = ("10.0.0.1", 1), ("10.0.0.2", 2), ("10.9.9.9", 9)
OURS, THEIRS = 11, 22
NOW = 100.0


def connected(**options: object) -> Stream:
    stream = Stream(OURS, NOW, **options)  # type: ignore[arg-type]
    stream.connect(THEIRS, THERE, NOW)
    return stream


def packet(kind: int, seq: int = 0, ack: int = 0, body: bytes = b"", **more: int) -> bytes:
    header = Header(kind, 0, OURS, more.get("window", 4 << 20), seq, ack)
    return encode(header._replace(skip=more.get("skip", 0))) + body


def sent(stream: Stream, now: float = NOW) -> list[tuple[Header, bytes]]:
    """What leaves now, taken apart."""
    return headers(stream.to_send(now))


def headers(bursts: list[Burst]) -> list[tuple[Header, bytes]]:
    found = []
    for burst in bursts:
        for datagram in burst.datagrams():
            header = parse(datagram)
            assert header is not None
            found.append((header, bytes(datagram[20 + header.skip :])))
    return found


def hear(stream: Stream, *packets: bytes, addr: Addr = THERE, now: float = NOW) -> None:
    for each in packets:
        stream.receive(each, addr, now)


# -- data ---------------------------------------------------------------------------------------


def test_written_bytes_leave_as_numbered_packets() -> None:
    stream = connected()
    stream.write(b"a" * 1152 + b"b" * 10)
    (one, first), (two, second) = sent(stream)
    assert (one.kind, one.seq, one.stream_id) == (DATA, 0, THEIRS)
    assert (two.kind, two.seq) == (DATA, 1)
    assert first + second == b"a" * 1152 + b"b" * 10
    assert sent(stream) == []


def test_one_ack_answers_a_batch() -> None:
    stream = connected()
    hear(stream, *[packet(DATA, n, body=b"x") for n in range(20)])
    assert b"".join(stream.read()) == b"x" * 20
    ((header, body),) = sent(stream)
    assert (header.kind, header.ack, body) == (0, 20, b"")


def test_a_row_of_datagrams_is_taken_apart() -> None:
    stream = connected()
    row = b"".join(packet(DATA, n, body=bytes([n]) * 30) for n in range(10)) + packet(DATA, 10)
    stream.receive(row, THERE, NOW, segment=50)
    assert b"".join(stream.read()) == b"".join(bytes([n]) * 30 for n in range(10))
    assert sent(stream)[0][0].ack == 11


def test_gaps_are_told_as_ranges_and_data_keeps_them() -> None:
    stream = connected()
    hear(stream, packet(DATA, 1, body=b"b"), packet(DATA, 3, body=b"d"))
    stream.write(b"hello")
    (data, _), (ack, _) = sent(stream)
    assert data.kind == DATA and ack.kind == SACK and ack.ack == 0
    hear(stream, packet(DATA, 0, body=b"a"))
    assert b"".join(stream.read()) == b"ab"
    bursts = stream.to_send(NOW)
    assert ranges_of(ack._replace(ack=2), bytes(bursts[-1].data)) == [(3, 4)]


def test_data_carries_the_ack() -> None:
    stream = connected()
    hear(stream, packet(DATA, 0, body=b"question"))
    stream.write(b"answer")
    ((header, _),) = sent(stream)
    assert header.kind == DATA and header.ack == 1


def test_padding_is_skipped() -> None:
    stream = connected()
    hear(stream, packet(DATA, 0, body=bytes(30) + b"payload", skip=30))
    assert stream.read() == [b"payload"]


def test_what_was_acked_beyond_a_gap_is_not_sent_again() -> None:
    stream = connected()
    for n in range(4):
        stream.write(bytes([n]))
        sent(stream)
    ranges = encode_ranges([(1, 4)])
    hear(stream, packet(SACK, 0, 0, ranges), now=NOW + 0.1)
    again = sent(stream, NOW + 0.1) + sent(stream, NOW + 0.5)
    assert [(header.seq, body) for header, body in again] == [(0, b"\0")]


@pytest.mark.parametrize("ranges", [[(5, 9)], [(3, 1)], [(0, 2**31)], [(2**32 - 5, 2)]])
def test_ranges_of_what_was_never_sent_mean_nothing(ranges: list[tuple[int, int]]) -> None:
    stream = connected()
    stream.write(b"x")
    sent(stream)
    hear(stream, packet(SACK, 0, 0, encode_ranges(ranges)))
    sent(stream)
    assert not stream.sender.flight.empty
    hear(stream, packet(0, 0, 7))  # an ack of what was never sent
    sent(stream)
    assert not stream.sender.flight.empty


def test_numbers_pass_two_to_the_thirty_two() -> None:
    start = 2**32 - 3
    stream = connected(seq=start, ack=start)
    for n in range(6):
        stream.write(bytes([n]))
        assert sent(stream)[0][0].seq == (start + n) % 2**32
        wire = (start + n) % 2**32
        hear(stream, packet(DATA, wire, (wire + 1) % 2**32, bytes([n])))
    sent(stream)
    assert b"".join(stream.read()) == bytes(range(6)) and stream.sender.flight.empty


def test_messages_take_no_number() -> None:
    stream = connected()
    stream.message(b"hello")
    stream.write(b"data")
    (message, body), (data, _) = sent(stream)
    assert (message.kind, body, message.seq, data.seq) == (MESSAGE, b"hello", 0, 0)
    hear(stream, packet(MESSAGE, 0, 0, b"hi"))
    assert stream.events() == [Message(b"hi")]
    with pytest.raises(ValueError, match="message"):
        stream.message(bytes(MAX_MESSAGE + 1))


# -- before, and elsewhere ------------------------------------------------------------------------


def test_before_connecting_nothing_leaves_and_nothing_is_heard() -> None:
    stream = Stream(OURS, NOW)
    stream.write(b"x")
    hear(stream, packet(DATA, 0, body=b"y"))
    assert stream.to_send(NOW) == [] and stream.read() == [] and stream.ignored == 1
    assert stream.deadline() is None


def test_a_first_packet_that_is_admitted_is_acked_once_connected() -> None:
    asked: list[Addr] = []
    stream = Stream(OURS, NOW, admit=lambda addr: not asked.append(addr))  # type: ignore[func-returns-value]
    hear(stream, packet(DATA, 0, body=b"y"))
    assert asked == [THERE] and stream.read() == [b"y"]
    assert stream.to_send(NOW) == []
    stream.connect(THEIRS, THERE, NOW)
    assert sent(stream)[0][0].ack == 1
    hear(stream, packet(DATA, 1, body=b"z"))
    assert asked == [THERE]


@pytest.mark.parametrize("kind", [DATA, END, DESTROY, MESSAGE, HEARTBEAT, 0])
def test_strangers_change_nothing(kind: int) -> None:
    stream = connected()
    stream.write(b"x")
    sent(stream)
    hear(stream, packet(kind, 0, 1, b"evil"), addr=ELSEWHERE)
    assert sent(stream) == [] and stream.events() == [] and stream.read() == []
    assert stream.remote == THERE and not stream.sender.flight.empty


def test_a_forged_goodbye_has_to_guess_the_number() -> None:
    stream = connected()
    hear(stream, packet(DESTROY, 1 << 20), packet(DESTROY, 2**32 - 1))
    assert not stream.closed
    hear(stream, packet(DESTROY, 500))
    assert stream.cause is Cause.RESET and stream.events() == [Closed(Cause.RESET)]


def test_packets_for_other_streams_and_nonsense_are_ignored() -> None:
    stream = connected()
    other = encode(Header(DATA, 0, OURS + 1, 1, 0, 0)) + b"x"
    hear(stream, other, b"\xff\x01short", b"", bytes(40), packet(DATA, 0, skip=9))
    assert stream.read() == [] and sent(stream) == []


def test_a_change_of_remote() -> None:
    stream = connected()
    stream.write(b"x")
    sent(stream)
    stream.change_remote(33, ELSEWHERE, NOW)
    (burst,) = stream.to_send(NOW)
    assert burst.addr == ELSEWHERE and headers([burst])[0][0].stream_id == 33
    assert stream.events() == []
    hear(stream, packet(0, 0, 1), addr=THERE)  # on its way from the old address
    sent(stream)
    assert stream.events() == [RemoteChanged()]
    late = NOW + PREVIOUS_TIME + 1
    hear(stream, packet(DATA, 0, 1, b"late"), addr=THERE, now=late)
    hear(stream, packet(DATA, 0, 1, b"new"), addr=ELSEWHERE, now=late)
    assert stream.read() == [b"new"]


def test_a_change_with_nothing_on_its_way_is_done_at_once() -> None:
    stream = connected()
    stream.change_remote(33, ELSEWHERE, NOW)
    assert stream.events() == [RemoteChanged()]
    assert sent(stream)[0][0].kind == 0  # they see us on the new way


# -- the end --------------------------------------------------------------------------------------


def test_both_ends_end_and_late_packets_are_answered() -> None:
    stream = connected()
    stream.write(b"last")
    stream.end()
    ((header, body),) = sent(stream)
    assert header.kind == DATA | END and body == b"last"
    hear(stream, packet(0, 0, 1))
    assert sent(stream) == [] and not stream.closed
    hear(stream, packet(END, 0, 1))
    assert [each.kind for each, _ in sent(stream)] == [0]
    assert stream.events() == [Ended(), Closed(Cause.FINISHED)]
    hear(stream, packet(END, 0, 1), now=NOW + 1)  # our ack was lost
    assert sent(stream, NOW + 1)[0][0].ack == 1
    assert stream.deadline() == NOW + LINGER and not stream.gone
    stream.on_deadline(NOW + LINGER)
    assert stream.gone and stream.deadline() is None


def test_an_end_without_bytes_takes_a_number() -> None:
    stream = connected()
    stream.end()
    stream.write(b"too late")
    ((header, body),) = sent(stream)
    assert (header.kind, header.seq, body) == (END, 0, b"")
    assert stream.sender.flight.next_seq == 1


def test_giving_up_is_said_once_and_again_when_asked() -> None:
    stream = connected()
    stream.write(bytes(5000))
    sent(stream)
    stream.destroy(NOW)
    ((header, _),) = sent(stream)
    assert (header.kind, header.seq) == (DESTROY, 5)
    assert stream.events() == [Closed(Cause.DESTROYED)] and sent(stream) == []
    stream.destroy(NOW)
    hear(stream, packet(DATA, 0, 0, b"still here"))
    assert [each.kind for each, _ in sent(stream)] == [DESTROY]
    hear(stream, packet(DESTROY, 0))
    assert sent(stream) == []


def test_a_reset_is_not_answered() -> None:
    stream = connected()
    hear(stream, packet(DATA, 0, body=b"x"), packet(DESTROY, 1))
    assert sent(stream) == []
    assert stream.deadline() == NOW
    stream.on_deadline(NOW)
    assert stream.gone


def test_an_unconnected_stream_just_goes() -> None:
    stream = Stream(OURS, NOW)
    stream.destroy(NOW)
    assert stream.to_send(NOW) == [] and stream.deadline() == NOW


# -- time -----------------------------------------------------------------------------------------


def run_until_closed(stream: Stream) -> tuple[float, list[tuple[float, Header]]]:
    """Let time pass without an answer."""
    now, seen = NOW, []
    while not stream.closed:
        seen += [(now, header) for header, _ in sent(stream, now)]
        due = stream.deadline()
        assert due is not None and due > now
        now = due
        stream.on_deadline(now)
    return now, seen


def test_silence_is_answered_with_ever_rarer_tries_then_given_up() -> None:
    stream = connected()
    stream.write(b"hello?")
    now, seen = run_until_closed(stream)
    times = [round(at - NOW) for at, _ in seen]
    assert times[:4] == [0, 1, 2, 4] or times[:4] == [0, 1, 3, 7]
    assert 90 < now - NOW < 105 and stream.cause is Cause.TIMED_OUT
    assert len(seen) < 20
    assert sent(stream, now)[0][0].kind == DESTROY


def test_if_only_our_end_is_not_acked_the_other_side_has_probably_left() -> None:
    stream = connected()
    hear(stream, packet(END, 0, 0))
    stream.end()
    run_until_closed(stream)
    assert stream.cause is Cause.FINISHED


def test_keep_alive_beats_and_notices_death() -> None:
    stream = connected(keep_alive=5.0)
    now, seen = run_until_closed(stream)
    assert {header.kind for _, header in seen} == {HEARTBEAT}
    assert stream.cause is Cause.TIMED_OUT and 60 <= now - NOW <= 70
    stream = connected(keep_alive=5.0)
    for beat in range(1, 50):
        now = NOW + 5.0 * beat
        stream.on_deadline(now)
        assert [header.kind for header, _ in sent(stream, now)] == [HEARTBEAT]
        hear(stream, packet(0), now=now)
        sent(stream, now)
    assert not stream.closed


def test_heartbeats_are_answered() -> None:
    stream = connected()
    hear(stream, packet(HEARTBEAT))
    assert [header.kind for header, _ in sent(stream)] == [0]


def test_a_closed_window_is_asked_about() -> None:
    stream = connected()
    stream.write(b"x")
    sent(stream)
    hear(stream, packet(0, 0, 1, window=0))
    stream.write(b"waits")
    assert sent(stream) == [] and stream.sender.blocked
    due = stream.deadline()
    assert due is not None
    stream.on_deadline(due)
    assert [header.kind for header, _ in sent(stream, due)] == [HEARTBEAT]
    hear(stream, packet(0, 0, 1, window=1000), now=due)
    assert [body for _, body in sent(stream, due)] == [b"waits"]


def test_an_old_packet_does_not_change_the_window() -> None:
    stream = connected()
    hear(stream, packet(DATA, 1, 0, b"b", window=500))
    sent(stream)
    hear(stream, packet(DATA, 0, 0, b"a", window=100_000))
    sent(stream)
    assert stream.sender.window == 500


def test_reading_opens_the_window_and_says_so() -> None:
    stream = connected(window=10_000)
    hear(stream, *[packet(DATA, n, body=bytes(1000)) for n in range(10)])
    assert sent(stream)[0][0].window == 0
    stream.read()
    assert [header.window for header, _ in sent(stream)] == [10_000]


# -- anything -------------------------------------------------------------------------------------

u32 = st.integers(0, 2**32 - 1) | st.integers(0, 30)
kinds = st.sampled_from([0, DATA, END, SACK, MESSAGE, HEARTBEAT, DATA | END]) | st.integers(0, 255)
forged = st.builds(
    lambda kind, skip, stream_id, window, seq, ack, body: (
        encode(Header(kind, skip, stream_id, window, seq, ack)) + body
    ),
    kinds,
    st.just(0) | st.integers(0, 255),
    st.just(OURS) | u32,
    u32,
    u32,
    u32,
    st.binary(max_size=80) | st.lists(st.tuples(u32, u32), max_size=60).map(encode_ranges),
)


@given(
    st.lists(st.tuples(forged | st.binary(max_size=60), st.integers(0, 90)), max_size=30),
    st.floats(0, 5),
)
def test_whatever_comes_in_does_no_harm(datagrams: list[tuple[bytes, int]], step: float) -> None:
    stream, now = connected(), NOW
    stream.write(bytes(20_000))
    for data, segment in datagrams:
        now += step
        sent(stream, now)
        stream.receive(data, THERE, now, segment)
        stream.on_deadline(now)
        sent(stream, now)
        stream.events()
        flight, inbox = stream.sender.flight, stream.inbox
        assert flight.una <= flight.next_seq and flight.in_flight >= 0 <= flight.outstanding
        assert inbox.waiting <= 10_000 and inbox.kept_bytes <= 10_000
        due = stream.deadline()
        assert due is None or stream.closed or due >= now - 1e-9 or stream.sender.flight.lost
