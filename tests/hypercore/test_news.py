"""What peers are told of our blocks: enough to find them, never a flood."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.hypercore import messages as wire
from holdfast.hypercore.message_table import decode
from holdfast.hypercore.news import News
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.telling import LAST_BLOCKS
from tests.support.replication import Net, Node, Wire, connect, reader, writer


def listen(peer: Peer) -> list[object]:
    """Everything that this peer object says from now on."""
    port: Wire = peer.port  # type: ignore[assignment]
    heard: list[object] = []

    def note(number: int, body: bytes) -> tuple[int, bytes]:
        heard.append(decode(number, memoryview(body)))
        return number, body

    port.mutate = note
    return heard


def said(heard: list[object], kind: type) -> list[object]:
    return [message for message in heard if isinstance(message, kind)]


def long_log(net: Net, count: int) -> Node:
    node = writer(net)
    node.append(*[b"%d" % i for i in range(count)])
    return node


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.booleans()), max_size=30))
def test_merged_news_say_the_same(events: list[tuple[int, int, bool]]) -> None:
    news, plain = News(), dict[int, bool]()
    for start, count, dropped in events:
        news.add(start, count, dropped)
        plain |= dict.fromkeys(range(start, start + count), dropped)
    told: dict[int, bool] = {}
    taken = news.take()
    for start, count, dropped in taken:
        told |= dict.fromkeys(range(start, start + count), dropped)
    assert told == plain
    assert len(taken) <= len(events)
    assert news.take() == []


def test_a_bulk_reader_does_not_flood_its_other_peers() -> None:
    net = Net()
    a = long_log(net, 10_000)
    b, c = reader(net, a), reader(net, a)
    connect(net, a, b)
    to_c, _ = connect(net, b, c)
    net.run()
    heard = listen(to_c)
    done = b.download(0, 10_000)
    net.run()
    assert done == [None]
    assert len(said(heard, wire.Range)) <= LAST_BLOCKS + 1
    assert heard[-1] == wire.Range(False, 0, 10_000)


def test_who_asked_is_told_as_blocks_arrive() -> None:
    net = Net()
    a = long_log(net, 5000)
    b, c = reader(net, a), reader(net, a)
    connect(net, a, b)
    to_c, _ = connect(net, b, c)
    net.run()
    got = c.fetch(1234)
    net.run()
    assert got == []
    b.fetch(1234)
    net.run()
    assert got == [b"1234"]
    heard = listen(to_c)
    b.fetch(2000)
    net.run()
    assert said(heard, wire.Range) == [wire.Range(False, 2000, 1)]
    to_c.telling.on_unwant(wire.Want(0, 1 << 21))
    b.fetch(3000)
    net.run()
    assert wire.Range(False, 3000, 1) not in heard
    b.fetch(4999)  # the end of the log is told unasked
    net.run()
    assert wire.Range(False, 4999, 1) in heard


def test_a_want_is_answered_with_pages_of_the_bitfield() -> None:
    net = Net()
    a = long_log(net, 70_000)
    a.log.clear(10, 20)
    b = reader(net, a)
    to_b, to_a = connect(net, a, b)
    net.run()
    heard = listen(to_b)
    assert not to_a.claims.has(60_000)
    got = b.fetch(60_000)
    missing = b.fetch(15)
    net.run()
    assert got == [b"60000"]
    assert missing == []
    assert len(said(heard, wire.BitfieldMessage)) == 3
    assert to_a.claims.has(69_999)
    assert not to_a.claims.has(15)
    assert not to_a.claims.has(70_000)
    assert to_a.claims.next_held(10) == 20


def test_a_want_of_anything_gets_the_beginning() -> None:
    net = Net()
    a = long_log(net, 500)
    a.log.clear(100, 101)
    b = reader(net, a)
    to_b, _ = connect(net, a, b)
    net.run()
    heard = listen(to_b)
    to_b.telling.on_want(wire.Want(5, 400, True))
    net.run()
    assert heard == [wire.Range(False, 0, 100)]


def test_who_wants_too_much_hears_everything() -> None:
    net = Net()
    a = long_log(net, 2000)
    b, c = reader(net, a), reader(net, a)
    connect(net, a, b)
    to_c, _ = connect(net, b, c)
    net.run()
    for start in range(600):
        to_c.telling.on_want(wire.Want(2048 * start, 1))
    heard = listen(to_c)
    b.fetch(1000)
    net.run()
    assert wire.Range(False, 1000, 1) in heard


def test_a_writer_learns_that_somebody_holds_everything() -> None:
    net = Net()
    a = long_log(net, 50)
    b = reader(net, a)
    to_b, to_a = connect(net, a, b)
    b.download(0, None)
    net.run()
    assert to_b.remote_contiguous == 50
    heard = listen(to_a)
    a.append(b"more")
    net.run()
    assert to_b.remote_contiguous == 51
    assert len(said(heard, wire.Range)) == 1


def test_cut_blocks_are_taken_back_before_new_ones_are_told() -> None:
    net = Net()
    a = long_log(net, 60)
    b = reader(net, a)
    _, to_a = connect(net, a, b)
    b.download(0, 60)
    net.run()
    heard = listen(to_a)
    a.truncate(40)
    net.run()
    assert wire.Range(True, 40, 20) in heard
    a.append(*[b"new"] * 30)
    got = b.fetch(45)
    net.run()
    assert got == [b"new"]


def test_dropped_blocks_are_asked_of_somebody_else() -> None:
    net = Net()
    a = long_log(net, 3000)
    b, c = reader(net, a), reader(net, a)
    connect(net, a, b)
    b.download(0, 3000)
    net.run()
    _, to_b = connect(net, b, c)
    net.run()
    b.log.clear(100, 200)
    net.run()
    assert not to_b.claims.has(150)
    assert to_b.claims.has(200)
    got, other = c.fetch(150), c.fetch(250)
    net.run()
    assert (got, other) == ([], [b"250"])
    connect(net, a, c)
    net.run()
    assert got == [b"150"]


def test_who_claims_a_block_and_refuses_it_is_not_asked_for_ever() -> None:
    net = Net()
    a = long_log(net, 100)
    b = reader(net, a)
    _, to_a = connect(net, a, b)
    net.run()
    a.log.bitfield.set_range(30, 1, False)  # gone without a word
    got = b.fetch(30)
    net.run()
    assert got == []
    assert to_a.claims.has(29)
    assert not to_a.claims.has(30)
    assert to_a.claims.next_held(30) == 31
    a.log.on_have(30, 1, True)  # the owner finds out
    net.run()
    a.log.bitfield.set(30)
    a.log.on_have(30, 1, False)
    net.run()
    assert got == [b"30"]
