"""How many handshakes strangers may begin, and who makes room for whom."""

from __future__ import annotations

import itertools

from holdfast.dht.handshake_table import SOURCES, HandshakeLimits, HandshakeTable

LIMITS = HandshakeLimits()
_noise = itertools.count()


def begin(table: HandshakeTable[str], source: str, now: float, key: bytes | None = None) -> int:
    """One new first message; 0 when it is turned away."""
    if not table.allow(source, now):
        return 0
    noise = next(_noise).to_bytes(8, "big")
    number, _ = table.add(noise, source, key or noise, source, now)
    return number


def test_a_message_that_comes_again_is_known() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    number, gone = table.add(b"noise", "10.0.0.1", b"key", "item", 0.0)
    assert gone == []
    assert table.find(b"noise") == table.get(number) == "item"
    table.remove(number)
    table.remove(number)
    assert table.find(b"noise") is None
    assert table.get(number) is None
    assert len(table) == 0


def test_one_source_has_its_share() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    began = [begin(table, "10.0.0.1", 0.0) for _ in range(100)]
    assert sum(map(bool, began)) == LIMITS.pending_per_source
    assert table.refused == 100 - LIMITS.pending_per_source
    assert begin(table, "10.0.0.2", 0.0)
    assert begin(table, "10.0.0.1", 1 / LIMITS.per_source)
    assert len(table) == LIMITS.pending_per_source + 1


def test_one_key_has_its_share() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    for number in range(20):
        assert begin(table, f"10.0.0.{number}", 0.0, b"key")
    assert len(table) == LIMITS.pending_per_key


def test_who_holds_most_makes_room() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    honest = begin(table, "192.0.2.1", 0.0)
    now = 0.0
    for turn in range(4):
        for number in range(250):
            now += 0.01
            begin(table, f"10.0.{turn // 9}.{number}", now)
    assert len(table) == LIMITS.pending
    assert table.get(honest) == "192.0.2.1"


def test_a_flood_of_regulars_leaves_room_for_newcomers() -> None:
    """10,000 messages from 250 sources in one second."""
    table: HandshakeTable[str] = HandshakeTable()
    worked = 0
    for step in range(10_000):
        now = step / 10_000
        worked += bool(begin(table, f"10.0.0.{step % 250}", now))
        assert len(table) <= LIMITS.pending
    assert worked <= 250 + 2 * LIMITS.regulars
    assert begin(table, "192.0.2.1", 1.0)


def test_what_is_known_of_sources_is_bounded() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    for number in range(SOURCES + 100):
        table.allow(str(number), number / 100)
    assert len(table._sources) == SOURCES


def test_places_run_out() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    first, second = begin(table, "a", 0.0), begin(table, "b", 1.0)
    assert table.deadline() == LIMITS.lifetime
    table.extend(first, 100.0)
    table.extend(999, 100.0)
    assert table.expire(LIMITS.lifetime + 1.0) == ["b"]
    assert table.get(second) is None
    assert list(table) == ["a"]
    assert table.deadline() == 100.0


def test_who_goes_on_is_not_held_up() -> None:
    """One host may open connections as fast as it can, if it opens them."""
    table: HandshakeTable[str] = HandshakeTable()
    for _ in range(2000):
        number = begin(table, "10.0.0.1", 0.0, b"key")
        assert number
        table.opened(number)
        table.opened(number)
    assert len(table) == LIMITS.pending
    assert begin(table, "10.0.0.2", 0.0)
    assert len(table) == LIMITS.pending


def test_places_of_the_finished_are_given_away_first() -> None:
    table: HandshakeTable[str] = HandshakeTable()
    waiting = begin(table, "192.0.2.1", 0.0)
    finished = begin(table, "192.0.2.2", 0.0)
    table.opened(finished)
    for number in range(LIMITS.pending - 1):
        assert begin(table, f"10.0.{number // 250}.{number % 250}", 0.0)
    assert table.get(finished) is None
    assert table.get(waiting)
    table.remove(finished)
