"""Blocks that need no second hashing: which, for how long, and that damage is still found."""

from __future__ import annotations

from holdfast.hypercore.recently_checked import KEEP, RecentlyChecked
from tests.support.replication import Net, connect, reader, writer


def test_what_was_checked_is_remembered_for_a_while() -> None:
    net = Net()
    checked = RecentlyChecked(net.clock)
    checked.note(5, 3, True)
    checked.note(6, 1, False)
    assert [checked.covers(index) for index in range(4, 9)] == [False, True, False, True, False]
    net.now += KEEP + 1
    assert not checked.covers(5)


def test_damage_is_found_before_it_is_served() -> None:
    net = Net()
    a = writer(net)
    a.append(b"zero" * 10, b"one" * 10)
    leaf = a.log.backend.leaf(1)
    assert leaf is not None
    a.log.backend._data[leaf.offset] = b"x" * leaf.size  # type: ignore[attr-defined]
    net.now += KEEP + 1
    b = reader(net, a)
    connect(net, a, b)
    got = b.fetch(1)
    net.run()
    assert got == []
    assert a.log.damaged_blocks == {1}


def test_a_block_cut_off_and_written_anew_is_hashed_again() -> None:
    net = Net()
    a = writer(net)
    a.append(b"zero", b"one")
    assert a.replicator.checked.covers(1)
    a.truncate(1)
    assert not a.replicator.checked.covers(1)
