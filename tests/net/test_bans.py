from __future__ import annotations

from holdfast.net.swarm.bans import FIRST_STRIKE, LONGEST, MAX_BANS, Bans

KEY = b"k" * 32


def test_a_ban_ends_in_time_or_by_order() -> None:
    bans = Bans()
    bans.ban(KEY, 0.0, 10.0)
    assert bans.banned(KEY, 9.9) and not bans.banned(KEY, 10.0)
    bans.ban(KEY, 0.0)
    assert bans.banned(KEY, 1e12)
    bans.lift(KEY)
    bans.lift(KEY)
    assert not bans.banned(KEY, 0.0)


def test_who_offends_again_stays_away_longer_but_not_for_ever() -> None:
    bans = Bans()
    seconds = [bans.strike(KEY, 0.0) for _ in range(40)]
    assert seconds[:3] == [FIRST_STRIKE, 2 * FIRST_STRIKE, 4 * FIRST_STRIKE]
    assert seconds[-1] == LONGEST
    assert bans.banned(KEY, LONGEST - 1) and not bans.banned(KEY, LONGEST)


def test_an_order_outlasts_a_strike() -> None:
    bans = Bans()
    bans.ban(KEY, 0.0)
    bans.strike(KEY, 0.0)
    assert bans.banned(KEY, 1e12)


def test_a_flood_of_keys_is_bounded() -> None:
    bans = Bans()
    for number in range(MAX_BANS + 100):
        bans.strike(number.to_bytes(32, "big"), float(number))
    assert len(bans) == MAX_BANS
