from __future__ import annotations

from holdfast.net.relay.limits import RelayLimits, Throttle
from holdfast.net.relay.topics import Topics
from holdfast.net.relay.wire import ANNOUNCE, LOOKUP

T, U = b"t", b"u"
BOTH = ANNOUNCE | LOOKUP


def topics(**limits: int) -> tuple[Topics[str], list[tuple[bytes, bool]]]:
    news: list[tuple[bytes, bool]] = []
    return Topics(RelayLimits(**limits), lambda *told: news.append(told)), news  # type: ignore[arg-type]


def test_who_seeks_finds_who_announces_the_newest_first_and_itself_never() -> None:
    table, _ = topics()
    for name in "abc":
        table.join(name, T, BOTH)
    table.join("quiet", T, LOOKUP)
    assert table.found(T, "quiet") == ["c", "b", "a"]
    assert table.found(T, "a") == ["c", "b"]
    table.join("a", T, BOTH)
    assert table.found(T, "quiet") == ["a", "c", "b"]
    assert list(table.seekers(T, "b")) == ["c", "quiet", "a"]
    assert list(table.seekers(T, "quiet")) == [], "who only seeks is told to nobody"
    assert table.found(U, "a") == []


def test_who_does_not_seek_is_told_of_nobody() -> None:
    table, _ = topics()
    table.join("a", T, BOTH)
    table.join("b", T, ANNOUNCE)
    assert table.found(T, "b") == [] and table.found(T, "stranger") == []
    assert list(table.seekers(T, "b")) == ["a"]


def test_limits() -> None:
    table, _ = topics(topics_per_client=2, topics=3, peers_told=2)
    assert table.join("a", b"1", BOTH) and table.join("a", b"2", BOTH)
    assert not table.join("a", b"3", BOTH)
    assert table.join("a", b"2", LOOKUP), "not a new one"
    assert table.join("b", b"3", BOTH) and not table.join("b", b"4", BOTH)
    for name in "xyz":
        assert table.join(name, b"1", ANNOUNCE)
    assert table.found(b"1", "a") == ["z", "y"]


def test_it_is_told_when_somebody_is_to_be_found_and_when_nobody_is() -> None:
    table, news = topics()
    table.join("a", T, LOOKUP)
    assert news == []
    table.join("a", T, BOTH)
    table.join("b", T, ANNOUNCE)
    assert news == [(T, True)] and table.announced == [T]
    table.leave("a", T)
    table.leave("a", T)
    assert news == [(T, True)]
    table.join("b", U, ANNOUNCE)
    table.leave_all("b")
    table.leave_all("b")
    assert set(news[1:]) == {(U, True), (T, False), (U, False)}
    assert len(table) == 0 and table.flags("b", T) == 0


def test_a_rate_is_paid_for_in_time() -> None:
    assert Throttle(None).delay(1 << 30, 0.0) == 0
    slow = Throttle(64.0)
    assert slow.delay(32, 10.0) == 0.5
    assert slow.delay(32, 10.0) == 1.0
    assert slow.delay(16, 20.0) == 0.25
