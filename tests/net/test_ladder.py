from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.net.address import Address
from holdfast.net.swarm.candidate import BOOK, DHT, LAN, LINK, MACHINE, RELAY, RUNGS
from holdfast.net.swarm.ladder import HEAD_START, Ladder, Way, ways_of

HERE, NEAR, FAR = Address("127.0.0.1", 1), Address("10.0.0.2", 2), Address("192.0.2.1", 3)


def test_the_nearest_is_tried_first_and_the_next_after_its_head_start() -> None:
    ways = [Way(RELAY), Way(DHT), Way(LAN, (NEAR,)), Way(BOOK, (FAR,))]
    ladder = Ladder(ways, 0.0, limit=30.0)
    assert [way.rung for way in ladder.to_start(0.0)] == [BOOK]
    assert ladder.deadline() == HEAD_START[BOOK]
    assert ladder.to_start(0.1) == []
    assert [way.rung for way in ladder.to_start(HEAD_START[BOOK])] == [LAN]
    assert {way.rung for way in ladder.running} == {BOOK, LAN}


def test_when_all_that_runs_has_failed_the_next_begins_at_once() -> None:
    ladder = Ladder([Way(MACHINE, (HERE,)), Way(LAN, (NEAR,)), Way(DHT)], 0.0, limit=30.0)
    (first,) = ladder.to_start(0.0)
    assert ladder.failed(first, "Nobody listens there.", 0.01) == 0.01
    (second,) = ladder.to_start(0.01)
    assert second.rung == LAN
    assert ladder.opened(second, 0.03) == 0.03 - 0.01
    assert ladder.done and ladder.won == second and ladder.to_start(1.0) == []


def test_it_is_over_when_nothing_is_left() -> None:
    ladder = Ladder([Way(DHT)], 0.0, limit=30.0)
    (way,) = ladder.to_start(0.0)
    ladder.failed(way, "Not found.", 2.0)
    assert ladder.done and ladder.deadline() is None
    assert ladder.failures == [(way, "Not found.")]
    assert Ladder([], 0.0, limit=1.0).done


def test_nothing_begins_after_the_end() -> None:
    ladder = Ladder([Way(DHT), Way(RELAY)], 0.0, limit=5.0)
    (way,) = ladder.to_start(0.0)
    assert ladder.deadline() == 5.0
    assert ladder.to_start(5.0) == []
    ladder.failed(way, "No answer.", 5.0)
    assert ladder.done and [failed.rung for failed, _ in ladder.failures] == [RELAY, DHT]


@given(
    st.lists(st.sampled_from(RUNGS), unique=True).filter(lambda r: "punched" not in r), st.data()
)
def test_every_way_ends_once_whatever_happens(rungs: list[str], data: st.DataObject) -> None:
    ladder = Ladder([Way(rung) for rung in rungs], 0.0, limit=60.0)
    now, started = 0.0, list[Way]()
    while not ladder.done:
        started += ladder.to_start(now)
        if ladder.running and data.draw(st.booleans()):
            way = data.draw(st.sampled_from(ladder.running))
            if data.draw(st.integers(0, 4)):
                ladder.failed(way, "no", now)
            else:
                ladder.opened(way, now)
        else:
            deadline = ladder.deadline()
            if deadline is not None and deadline > now:
                now = deadline
            elif ladder.running:
                ladder.failed(ladder.running[0], "late", now)
    assert len(started) == len(set(started))
    if ladder.won is None:
        assert {way.rung for way, _ in ladder.failures} == set(rungs)


def test_an_address_is_dialled_on_its_first_rung_only() -> None:
    learnt = {LAN: (NEAR, FAR), BOOK: (NEAR,), LINK: (), MACHINE: (HERE,)}
    ways = ways_of(learnt, (FAR,), dht=True, relay=True)
    assert ways == [
        Way(BOOK, (NEAR,)),
        Way(MACHINE, (HERE,)),
        Way(LAN, (FAR,)),
        Way(DHT, (FAR,)),
        Way(RELAY),
    ]
    assert ways_of({}, (), dht=False, relay=False) == []
