"""Requests on their way: one answer from the one asked, resent, given up, never too many."""

from __future__ import annotations

import pytest

from holdfast.dht.calls import LEAST_PATIENCE, MOST_CALLS, SENDS, WINDOW, Call, Calls, Reply
from holdfast.dht.packet import Frame
from holdfast.errors import UnavailableError

HERE, THERE = b"aaaaaa", b"bbbbbb"
FRAME = Frame(0)


class Wire:
    """What is sent, and who is told."""

    def __init__(self) -> None:
        self.sent: list[Call] = []
        self.lost: list[Call] = []
        self.answers: list[Reply | None] = []
        self.calls = Calls(self.sent.append, self.lost.append, lambda count: b"\xff" * count)

    def call(self, packed: bytes = HERE, now: float = 0.0) -> Call:
        call = Call(packed, FRAME, self.calls.tid(), None)
        call.on_done = lambda call, reply: self.answers.append(reply)
        self.calls.start(call, now)
        return call

    def run(self, until: float) -> None:
        while (due := self.calls.deadline()) <= until:
            self.calls.on_deadline(due)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_numbers_go_round_and_are_never_shared(wire: Wire) -> None:
    tids = [wire.call().tid for _ in range(200)]
    assert len(set(tids)) == 200
    assert tids[:2] == [0xFFFF, 0]


def test_only_the_one_asked_may_answer(wire: Wire) -> None:
    call = wire.call(HERE)
    assert wire.calls.match(call.tid, THERE, 0.1) is None
    assert wire.calls.match(call.tid + 1 & 0xFFFF, HERE, 0.1) is None
    assert wire.calls.match(call.tid, HERE, 0.1) is call
    assert wire.calls.match(call.tid, HERE, 0.1) is None
    wire.run(100.0)
    assert wire.answers == []


def test_a_silent_node_is_asked_again_and_then_given_up(wire: Wire) -> None:
    call = wire.call()
    wire.run(100.0)
    assert len(wire.sent) == SENDS
    assert wire.lost == [call]
    assert wire.answers == [None]
    assert wire.calls.deadline() == float("inf")
    assert len(wire.calls) == 0


def test_resends_follow_the_round_trips_seen(wire: Wire) -> None:
    for _ in range(20):
        call = wire.call(now=0.0)
        wire.calls.match(call.tid, HERE, 0.001)
    wire.call(now=1.0)
    assert wire.calls.deadline() == pytest.approx(1.0 + LEAST_PATIENCE)
    assert wire.calls.rtt == pytest.approx(0.001)


def test_a_late_answer_to_a_resent_request_teaches_nothing(wire: Wire) -> None:
    call = wire.call()
    wire.calls.on_deadline(1.0)
    assert wire.calls.match(call.tid, HERE, 1.01) is call
    assert wire.calls.rtt == 0.0


def test_a_window_bounds_what_is_in_the_air(wire: Wire) -> None:
    calls = [wire.call() for _ in range(WINDOW + 50)]
    assert len(wire.sent) == WINDOW
    for call in calls[:30]:
        wire.calls.match(call.tid, HERE, 0.1)
    assert len(wire.sent) == WINDOW + 30
    wire.calls.cancel(calls[-1], 0.1)
    wire.run(100.0)
    assert {call.tid for call in wire.sent} == {call.tid for call in calls[:-1]}
    assert len(wire.answers) == len(calls) - 30 - 1


def test_a_cancelled_request_tells_nobody(wire: Wire) -> None:
    call = wire.call()
    wire.calls.cancel(call, 0.0)
    assert wire.calls.match(call.tid, HERE, 0.1) is None
    wire.run(100.0)
    assert wire.answers == []


def test_there_is_an_end_to_what_may_wait(wire: Wire) -> None:
    for _ in range(MOST_CALLS):
        wire.call()
    with pytest.raises(UnavailableError):
        wire.calls.tid()


def test_timers_of_the_past_take_no_room(wire: Wire) -> None:
    for _ in range(5000):
        call = wire.call()
        wire.calls.match(call.tid, HERE, 0.0)
    assert len(wire.calls._timers) < 200
