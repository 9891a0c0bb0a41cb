"""Requests of the other side: order, cancelling, limits, and what is refused."""

from __future__ import annotations

import pytest

from holdfast.errors import RemoteError
from holdfast.hypercore import messages as wire
from holdfast.hypercore.message_table import decode
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.recently_checked import KEEP
from holdfast.hypercore.serving import MAX_INVALID_REQUESTS, MAX_QUEUED_REQUESTS
from tests.support.replication import Net, Node, Wire, connect, reader, writer


class Asked:
    """A writer of 100 blocks and the raw channel to it."""

    def __init__(self, count: int = 100) -> None:
        self.net = Net()
        self.node: Node = writer(self.net)
        self.node.append(*[b"%d" % i for i in range(count)])
        self.peer: Peer
        self.peer, at_reader = connect(self.net, self.node, reader(self.net, self.node))
        self.net.run()
        self.port: Wire = self.peer.port  # type: ignore[assignment]
        self.port.receiver = None
        self.port.blocked = True

    def ask(self, id: int, index: int, **fields: object) -> None:
        fork = fields.pop("fork", 0)
        request = wire.Request(id, fork, wire.RequestBlock(index, 0), **fields)  # type: ignore[arg-type]
        self.peer.receive(wire.REQUEST, memoryview(wire.encode_request(request)))

    def answers(self) -> list[object]:
        out = [decode(number, memoryview(body)) for number, body in self.port.queue]
        self.port.queue.clear()
        return out

    def full(self) -> None:
        self.port.drained = False

    def drain(self) -> None:
        self.port.drained = True
        self.peer.serving.on_drain()


def ids(answers: list[object]) -> list[int]:
    return [answer.request for answer in answers]  # type: ignore[attr-defined]


def test_urgent_requests_go_first_and_cancelled_ones_never() -> None:
    asked = Asked()
    asked.full()
    for id in range(1, 6):
        asked.ask(id, id)
    asked.ask(9, 50, priority=1)
    asked.peer.receive(wire.CANCEL, memoryview(wire.encode_cancel(3)))
    asked.peer.receive(wire.CANCEL, memoryview(wire.encode_cancel(777)))
    assert asked.answers() == []
    asked.drain()
    assert ids(asked.answers()) == [9, 1, 2, 4, 5]


def test_what_is_not_here_is_refused() -> None:
    asked = Asked()
    asked.node.log.clear(10, 11)
    asked.ask(1, 10)
    asked.ask(2, 100)
    asked.ask(3, 5, fork=1)
    assert asked.answers()[-3:] == [wire.NoData(id, wire.NOT_AVAILABLE) for id in (1, 2, 3)]


def test_blocks_not_yet_durable_are_not_shown() -> None:
    asked = Asked()
    asked.node.log.stage([b"secret"])
    ticket = asked.node.log.commit(durable=True)
    asked.ask(1, 100)
    assert asked.answers() == [wire.NoData(1, wire.NOT_AVAILABLE)]
    asked.node.log.settle(ticket)
    asked.ask(2, 100)
    assert asked.answers()[-1].block.value == b"secret"  # type: ignore[attr-defined]


def test_nonsense_is_borne_for_a_while() -> None:
    asked = Asked()
    upgrade = wire.RequestUpgrade(500, 100)
    body = memoryview(wire.encode_request(wire.Request(7, 0, upgrade=upgrade)))
    for _ in range(MAX_INVALID_REQUESTS):
        asked.peer.receive(wire.REQUEST, body)
    assert set(asked.answers()) == {wire.NoData(7, wire.INVALID_REQUEST)}
    with pytest.raises(RemoteError):
        asked.peer.receive(wire.REQUEST, body)


def test_a_peer_that_does_not_read_is_dropped() -> None:
    asked = Asked()
    asked.full()
    for id in range(MAX_QUEUED_REQUESTS):
        asked.ask(id + 1, 0)
    with pytest.raises(RemoteError):
        asked.ask(99_999, 0)


def test_nothing_is_answered_after_the_end() -> None:
    asked = Asked()
    asked.full()
    asked.ask(1, 1)
    asked.peer.close()
    asked.drain()
    asked.ask(2, 2)
    assert asked.answers() == []


def test_a_damaged_block_is_refused_and_no_longer_claimed_by_a_reader() -> None:
    net = Net()
    a = writer(net)
    a.append(*[b"block %02d" % i for i in range(20)])
    b = reader(net, a)
    connect(net, a, b)
    b.download(0, 20)
    net.run()
    b.log.flush()
    b.log.backend._data[b.log.backend.leaf(5).offset] = b"?" * 8
    net.now += KEEP + 1  # long enough for the disk to be read anew
    c = reader(net, a)
    connect(net, b, c)
    got = c.fetch(5)
    net.run()
    assert got == []
    assert not b.log.has(5)
    b.fetch(5)
    net.run()
    assert got == [b"block 05"]
