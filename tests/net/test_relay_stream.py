"""One end of a relayed stream, with a line that the test holds in its hands."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.errors import RemoteError
from holdfast.net.relay.stream import CONFIRM_STEP, RelayedStream
from holdfast.net.relay.wire import (
    FIRST_WINDOW,
    MAX_PIECE,
    MAX_WINDOW,
    PIECE_COST,
    Reason,
    RelayRefused,
)
from tests.net.relaying import Sink


class Wire:
    """Keeps what a stream says."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []
        self.sent = bytearray()

    def ready(self, stream: RelayedStream) -> None:
        pass

    def take(self, stream: RelayedStream) -> int:
        """Send one piece; returns its length."""
        piece = stream.send_piece()
        if piece is None:
            return 0
        self.sent += piece
        stream.sent()
        return len(piece)

    def confirm(self, stream: RelayedStream, count: int) -> None:
        self.said.append(("confirm", count))

    def end(self, stream: RelayedStream) -> None:
        self.said.append(("end", 0))

    def forget(self, stream: RelayedStream, reason: Reason) -> None:
        self.said.append(("forget", reason))


def stream(sink: Sink | None = None) -> tuple[Wire, RelayedStream, Sink]:
    wire, sink = Wire(), sink or Sink()
    made = RelayedStream(wire, 0, b"k" * 32)
    made.attach(sink)
    return wire, made, sink


async def turn() -> None:
    await asyncio.sleep(0)


async def test_no_more_is_sent_than_the_window_allows() -> None:
    wire, one, sink = stream()
    one.write(bytes(300_000))
    assert sink.paused
    assert wire.take(one) == FIRST_WINDOW - PIECE_COST
    assert wire.take(one) == 0
    one.credit(MAX_WINDOW)
    assert wire.take(one) == MAX_PIECE
    while wire.take(one):
        pass
    assert len(wire.sent) == 300_000 and not sink.paused
    assert one.get_write_buffer_size() == 0
    with pytest.raises(RemoteError):
        one.credit(MAX_WINDOW)


async def test_the_end_waits_for_what_was_written_before() -> None:
    wire, one, _ = stream()
    one.write(b"first")
    one.write_eof()
    one.write(b"too late")
    assert wire.said == []
    wire.take(one)
    assert wire.said == [("end", 0)] and wire.sent == b"first"
    assert one.can_write_eof() and not one.is_closing()


async def test_closing_too() -> None:
    wire, one, sink = stream()
    one.write(b"first")
    one.close()
    assert one.is_closing() and wire.said == []
    wire.take(one)
    assert wire.said == [("forget", Reason.DONE)]
    await asyncio.wait_for(sink.ended.wait(), 5)
    assert sink.error is None
    one.close()
    one.abort()
    one.write(b"later")
    assert wire.take(one) == 0 and len(wire.said) == 1


async def test_a_paused_end_holds_what_comes_and_confirms_it_when_it_is_taken() -> None:
    wire, one, sink = stream()
    one.pause_reading()
    one.receive(memoryview(bytes(40_000)))
    one.receive(memoryview(b"more"))
    assert not sink.data and wire.said == [] and not one.is_reading()
    one.resume_reading()
    one.resume_reading()
    await turn()
    assert len(sink.data) == 40_004 and one.is_reading()
    assert wire.said == [("confirm", 40_000 + PIECE_COST)]
    one.receive(memoryview(bytes(CONFIRM_STEP)))
    assert wire.said[1] == ("confirm", CONFIRM_STEP + 4 + 2 * PIECE_COST)


async def test_a_relay_that_sends_more_than_any_window_breaks_the_rules() -> None:
    _, one, _ = stream()
    one.pause_reading()
    with pytest.raises(RemoteError):
        for _ in range(MAX_WINDOW // 1000 + 1):
            one.receive(memoryview(bytes(1000)))
    _, two, _ = stream(Sink(stays=True))
    two.ended()
    with pytest.raises(RemoteError):
        two.receive(memoryview(b"after the end"))


async def test_what_came_before_a_close_is_handed_over_first() -> None:
    wire, one, sink = stream()
    one.pause_reading()
    one.receive(memoryview(b"last words"))
    one.closed(RelayRefused(Reason.DONE))
    await turn()
    assert not sink.ended.is_set()
    one.resume_reading()
    await asyncio.wait_for(sink.ended.wait(), 5)
    assert sink.data == b"last words" and sink.error is None and wire.said == []


async def test_a_failure_ends_it_at_once_and_says_why() -> None:
    _, one, sink = stream()
    errors: list[Exception] = []
    one.on_failed = errors.append
    one.pause_reading()
    one.receive(memoryview(b"lost"))
    one.closed(RelayRefused(Reason.GONE))
    one.closed(RelayRefused(Reason.IDLE))
    await asyncio.wait_for(sink.ended.wait(), 5)
    assert isinstance(one.error, RelayRefused) and one.error.reason == Reason.GONE
    assert errors == [one.error] and sink.error is one.error and not sink.data


async def test_the_end_of_the_other_side_is_handed_over_in_its_place() -> None:
    wire, one, sink = stream()
    one.pause_reading()
    one.receive(memoryview(b"all"))
    one.ended()
    assert not sink.eof.is_set()
    one.resume_reading()
    await turn()
    assert sink.eof.is_set() and sink.data == b"all"
    assert ("forget", Reason.DONE) in wire.said, "a protocol that does not stay closes"


async def test_what_comes_before_there_is_a_protocol_waits_for_it() -> None:
    wire, sink = Wire(), Sink()
    one = RelayedStream(wire, 0, b"k" * 32)
    one.receive(memoryview(b"early"))
    one.attach(sink)
    assert sink.data == b"early"
    assert one.get_protocol() is sink and one.get_extra_info("relay") == b"k" * 32
    assert one.get_extra_info("peername") is None
    other = Sink()
    one.set_protocol(other)
    one.receive(memoryview(b"on"))
    assert other.data == b"on"


async def test_a_closed_end_still_confirms_so_that_the_relay_forgets() -> None:
    wire, one, _ = stream()
    one.write(b"x")
    one.close()
    one.receive(memoryview(bytes(100)))
    assert wire.said == [("confirm", 100 + PIECE_COST)]


async def test_water_marks() -> None:
    _, one, sink = stream()
    assert one.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    one.set_write_buffer_limits(high=0)
    assert one.get_write_buffer_limits() == (0, 0)
    one.write(b"x")
    assert sink.paused
