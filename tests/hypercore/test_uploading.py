"""A peer that gets no blocks from us: what it hears, and what changes when it does."""

from __future__ import annotations

from holdfast.hypercore import messages as wire
from holdfast.hypercore.message_table import decode
from holdfast.hypercore.peer import Peer
from tests.support.replication import Net, Node, connect, reader, writer

COUNT = 50


def three() -> tuple[Net, Node, Node, Node, Peer, Peer]:
    """A writer, a copy that holds half of it, and a reader; the copy gives the reader nothing.

    Returns the reader's view of the copy and the copy's view of the reader last.
    """
    net = Net()
    a = writer(net)
    a.append(*[b"%d" % index for index in range(COUNT)])
    b, c = reader(net, a), reader(net, a)
    connect(net, a, b)
    b.download(0, COUNT // 2)
    net.run()
    at_c, at_b = connect(net, c, b, uploading=False)
    net.run()
    return net, a, b, c, at_c, at_b


def test_it_hears_the_head_and_of_no_block() -> None:
    net, a, b, c, at_c, at_b = three()
    got = c.fetch(3)
    whole = c.download(0, None)
    net.run()
    assert c.log.local.length == COUNT  # nobody waits for a head
    assert got == whole == [] and at_b.blocks_sent == 0
    assert not at_c.claims.has(0) and at_c.claims.contiguous == 0


def test_what_it_waits_for_comes_when_it_may() -> None:
    net, a, b, c, at_c, at_b = three()
    got = c.fetch(3)
    net.run()
    at_b.start_uploading()
    at_b.start_uploading()
    net.run()
    assert got == [b"3"] and at_b.blocks_sent == 1
    later = c.fetch(COUNT - 1)
    b.download(0, COUNT)
    net.run()
    assert later == [b"%d" % (COUNT - 1)]


def test_who_asks_all_the_same_is_refused() -> None:
    net, a, b, c, at_c, at_b = three()
    port = at_b.port
    port.receiver, port.blocked = None, True
    for index in range(3):
        request = wire.Request(7, 0, wire.RequestBlock(index, 0), priority=index)
        at_b.receive(wire.REQUEST, memoryview(wire.encode_request(request)))
    with_head = wire.Request(8, 0, wire.RequestBlock(1, 0), upgrade=wire.RequestUpgrade(0, COUNT))
    at_b.receive(wire.REQUEST, memoryview(wire.encode_request(with_head)))
    answers = [decode(number, memoryview(body)) for number, body in port.queue]
    assert answers == [wire.NoData(id, wire.NOT_AVAILABLE) for id in (7, 7, 7, 8)]


def test_it_hears_that_we_have_all_that_it_has() -> None:
    """So whoever shares knows when a copy is complete; nobody could want those blocks of us."""
    net = Net()
    a = writer(net)
    a.append(*[b"%d" % index for index in range(COUNT)])
    b = reader(net, a)
    at_a, at_b = connect(net, a, b, uploading=False)
    b.download(0, None)
    net.run()
    assert at_a.claims.has_all(0, COUNT)
    a.append(b"news")
    net.run()
    assert at_a.claims.has_all(0, COUNT + 1)
    b.log.clear(5, 6)
    net.run()
    assert not at_a.claims.has(5)
    a.append(b"more")
    b.fetch(5)
    net.run()
    assert at_a.claims.has_all(0, COUNT + 2) and at_b.blocks_sent == 0


def test_a_complete_copy_comes_back_and_says_so() -> None:
    net = Net()
    a = writer(net)
    a.append(*[b"%d" % index for index in range(COUNT)])
    b = reader(net, a)
    connect(net, a, b)
    b.download(0, COUNT)
    net.run()
    at_a, _ = connect(net, a, b, uploading=False)
    net.run()
    assert at_a.claims.has_all(0, COUNT)


def test_two_heads_are_shown_to_it_too() -> None:
    """Evidence of a fork is for everybody's safety."""
    net = Net()
    a, b = writer(net), writer(net)
    a.append(b"one")
    b.append(b"other")
    c = reader(net, a)
    connect(net, c, a)
    c.download(0, 1)
    net.run()
    connect(net, c, b, uploading=False)
    b.append(b"two")
    net.run()
    assert c.log.frozen is not None
