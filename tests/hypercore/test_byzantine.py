"""A peer that lies in every field of every message: nothing false is kept, nobody hangs or dies."""

from __future__ import annotations

import random

import pytest

from holdfast.hypercore.message_table import decode, encode
from tests.support.replication import Net, Node, Wire, connect, reader, writer

BLOCKS = [b"block %d " % i + bytes([i % 251]) * (i * 37 % 400) for i in range(120)]
NUMBERS = (0, 1, 2, 127, 252, 253, 2**16, 2**32, 2**53 - 1)


def _other_number(rng: random.Random, value: int) -> int:
    return rng.choice([*NUMBERS, value + 1, max(0, value - 1), value * 2])


def _other(rng: random.Random, value: object) -> object:
    """A value of the same kind that is not the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return _other_number(rng, value)
    if isinstance(value, bytes | memoryview):
        data = bytearray(value)
        if not data or rng.random() < 0.2:
            return bytes(data) + b"!"
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data)
    if isinstance(value, str):
        return value + "?"
    if isinstance(value, list):
        items = list(value)
        kind = rng.randrange(3)
        if not items or kind == 0:
            return items + items[-1:]
        if kind == 1:
            items.pop(rng.randrange(len(items)))
            return items
        at = rng.randrange(len(items))
        items[at] = _other(rng, items[at])
        return items
    if isinstance(value, tuple):
        fields = list(value)
        choices = [i for i, field in enumerate(fields) if field is not None]
        at = rng.choice(choices)
        fields[at] = _other(rng, fields[at])
        return type(value)(*fields)
    return value


class Liar:
    """Changes one field of one message in ``rate``, or drops, repeats or invents a message."""

    def __init__(self, seed: int, rate: float) -> None:
        self.rng = random.Random(seed)
        self.rate = rate
        self.lies = 0

    def __call__(self, number: int, body: bytes) -> tuple[int, bytes]:
        rng = self.rng
        if rng.random() > self.rate:
            return number, body
        self.lies += 1
        kind = rng.randrange(10)
        if kind == 0:
            return rng.randrange(12), body
        if kind == 1:
            return number, rng.randbytes(rng.randrange(40))
        if kind == 2:
            return number, body[: rng.randrange(len(body) + 1)]
        changed = _other(rng, decode(number, memoryview(body)))
        try:
            return number, encode(number, changed)
        except Exception:
            return number, body[:-1]


@pytest.mark.parametrize("seed", range(150))
def test_a_lying_source_gets_nothing_stored(seed: int) -> None:
    net = Net(seed)
    a = writer(net)
    a.append(*BLOCKS)
    if seed % 3 == 0:
        a.truncate(60)
        a.append(*BLOCKS[60:])
    b = reader(net, a)
    done = b.download(0, len(BLOCKS))
    liar = Liar(seed, rate=(0.02, 0.2, 1.0)[seed % 3])
    for _ in range(4):
        at_a, _ = connect(net, a, b)
        out: Wire = at_a.port  # type: ignore[assignment]
        out.mutate = liar
        net.run()
        net.now += 20
        b.replicator.on_deadline(net.now)
        net.run()
        _check(a, b)
        at_a.port.close()
        net.run()
    assert b.log.frozen is None
    if not done:
        connect(net, a, b)  # the truth, at last
        net.run()
        net.now += 20
        b.replicator.on_deadline(net.now)
        net.run()
    assert done == [None]
    assert [b.log.block(i) for i in range(len(BLOCKS))] == BLOCKS


@pytest.mark.parametrize("seed", range(60))
def test_among_answers_that_are_hashed_together_a_lie_is_found(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.hypercore.late.LARGE", 0)
    net = Net(seed, crowding=0.9)
    a = writer(net)
    a.append(*BLOCKS)
    b = reader(net, a)
    done = b.download(0, len(BLOCKS))
    at_a, at_b = connect(net, a, b)
    out: Wire = at_a.port  # type: ignore[assignment]
    out.mutate = Liar(seed, rate=(0.0, 0.05, 0.5)[seed % 3])
    net.run()
    _check(a, b)
    if seed % 3 == 0:
        assert done == [None] and at_b.blocks_received == len(BLOCKS)
        return
    at_a.port.close()
    net.run()
    connect(net, a, b)
    for _ in range(3):
        net.run()
        net.now += 20
        b.replicator.on_deadline(net.now)
    net.run()
    assert done == [None]
    assert [b.log.block(i) for i in range(len(BLOCKS))] == BLOCKS


@pytest.mark.parametrize("seed", range(50))
def test_a_lying_reader_does_not_hurt_a_writer(seed: int) -> None:
    net = Net(seed)
    a = writer(net)
    a.append(*BLOCKS)
    b = reader(net, a)
    b.download(0, len(BLOCKS))
    _, at_b = connect(net, a, b)
    out: Wire = at_b.port  # type: ignore[assignment]
    out.mutate = Liar(seed, rate=0.3)
    net.run()
    assert a.log.frozen is None
    assert [a.log.block(i) for i in range(len(BLOCKS))] == BLOCKS
    c = reader(net, a)
    done = c.download(0, len(BLOCKS))
    connect(net, a, c)
    net.run()
    assert done == [None]


def _check(a: Node, b: Node) -> None:
    state = b.log.local
    assert state.length in (0, 60, len(BLOCKS))
    if state.fork == a.log.local.fork:
        for i in range(state.length):
            if b.log.has(i):
                assert b.log.block(i) == BLOCKS[i]
