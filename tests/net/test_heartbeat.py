from __future__ import annotations

import asyncio

import pytest

from holdfast.errors import HandshakeError, HoldfastError, PeerUnreachable
from holdfast.net.heartbeat import Heartbeat
from holdfast.wire import SecretStream
from tests.net.loopback import ALICE, BOB


class Hand:
    """The hands of a loop's clock, moved by the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, object]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: object) -> asyncio.TimerHandle:
        self.due = [(when, call)]
        return asyncio.TimerHandle(when, lambda: None, (), asyncio.get_running_loop())

    def pass_until_due(self) -> None:
        (when, call), self.due = self.due[0], []
        self.now = when
        assert callable(call)
        call()


def opened(now: float) -> SecretStream:
    """An open stream whose other side is then silent."""
    near = SecretStream(True, ALICE, idle_timeout=30, now=now)
    far = SecretStream(False, BOB, now=now)
    for _ in range(4):
        for piece in near.to_send(now):
            far.receive(piece, now)
        for piece in far.to_send(now):
            near.receive(piece, now)
    return near


def beating(stream: SecretStream, deaf: bool) -> tuple[Hand, list[int], list[HoldfastError]]:
    hand, beats, failures = Hand(), list[int](), list[HoldfastError]()

    def beat() -> None:
        beats.append(sum(map(len, stream.to_send(hand.now))))

    heartbeat = Heartbeat(stream, beat=beat, fail=failures.append, deaf=lambda: deaf)
    heartbeat._loop = hand  # type: ignore[assignment]
    heartbeat.start()
    return hand, beats, failures


async def test_keep_alives_go_out_until_the_silence_has_lasted_too_long() -> None:
    hand, beats, failures = beating(opened(100.0), deaf=False)
    while hand.due:
        hand.pass_until_due()
    assert hand.now == 130.0
    assert beats == [20] * 5
    assert isinstance(failures[0], PeerUnreachable) and len(failures) == 1


async def test_while_we_do_not_read_silence_is_no_sign_of_death() -> None:
    hand, beats, failures = beating(opened(100.0), deaf=True)
    while hand.now < 300:
        hand.pass_until_due()
    assert beats == [20] * 40 and failures == []


async def test_a_handshake_runs_out() -> None:
    hand, _, failures = beating(SecretStream(True, ALICE, now=100.0), deaf=False)
    hand.pass_until_due()
    assert isinstance(failures[0], HandshakeError) and not hand.due


async def test_stop_and_a_closed_stream_end_it() -> None:
    stream = opened(100.0)
    heartbeat = Heartbeat(stream, beat=pytest.fail, fail=pytest.fail, deaf=lambda: True)
    heartbeat.start()
    assert heartbeat._timer is not None
    heartbeat.stop()
    assert heartbeat._timer is None
    stream.close()
    heartbeat.heard()
    heartbeat.start()
    assert heartbeat._timer is None
