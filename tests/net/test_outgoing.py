from __future__ import annotations

import asyncio
from typing import cast

from holdfast.net.outgoing import HIGH_WATER, LOW_WATER, Outgoing


class Wire:
    """A transport whose kernel takes ``room`` bytes and then blocks."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""
        self.outgoing: Outgoing | None = None
        self.dead = False

    def is_closing(self) -> bool:
        return self.dead

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def write(self, data: memoryview) -> None:
        self.taken += bytes(data)
        self.room -= len(data)
        if self.room < 0:
            assert self.outgoing is not None
            self.outgoing.block()


def make(room: int) -> tuple[Wire, Outgoing]:
    wire = Wire(room)
    outgoing = Outgoing(cast(asyncio.Transport, wire))
    wire.outgoing = outgoing
    return wire, outgoing


def test_pieces_go_one_by_one_and_stop_when_the_kernel_does() -> None:
    wire, outgoing = make(room=5)
    outgoing.write([b"abc", b"def", b"ghi"])
    assert wire.taken == b"abcdef" and outgoing.waiting == 3
    outgoing.write([b"jkl"])
    assert wire.taken == b"abcdef" and outgoing.waiting == 6
    wire.room = 100
    outgoing.unblock()
    assert wire.taken == b"abcdefghijkl" and outgoing.waiting == 0


def test_nothing_is_written_to_a_dead_transport() -> None:
    wire, outgoing = make(room=100)
    wire.dead = True
    outgoing.write([b"abc"])
    assert wire.taken == b""


def test_full_and_low_are_apart() -> None:
    wire, outgoing = make(room=0)
    outgoing.write([bytes(1)])
    outgoing.write([bytes(HIGH_WATER - 1)])
    assert not outgoing.full and not outgoing.low
    outgoing.write([bytes(1)])
    assert outgoing.full
    outgoing.forget()
    assert outgoing.low and not outgoing.full
    outgoing.write([bytes(LOW_WATER)])
    assert outgoing.low and not outgoing.full


def test_finish_hands_everything_over() -> None:
    wire, outgoing = make(room=0)
    outgoing.write([b"a", b"b"])
    outgoing.finish()
    assert wire.taken == b"ab" and outgoing.waiting == 0
