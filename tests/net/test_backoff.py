from __future__ import annotations

from holdfast.net.swarm.backoff import ASKED_FOR, GOOD, JITTER, STEADY, UNKNOWN, Backoff


def none() -> float:
    return 0.0


def test_who_was_reached_is_dialled_again_sooner() -> None:
    good, unknown = Backoff(), Backoff()
    good.opened(0.0)
    for step in range(3):
        good.ended(1.0)
        unknown.ended(1.0)
        assert good.pause(none) == GOOD[step]
        assert unknown.pause(none) == UNKNOWN[step]
    good.ended(1.0)
    assert good.pause(none) is None
    assert good.pause(none, asked_for=True) == ASKED_FOR


def test_a_long_connection_begins_the_steps_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.ended(0.0)
    backoff.opened(10.0)
    backoff.ended(10.0 + STEADY)
    assert backoff.pause(none) == GOOD[0]
    backoff.opened(30.0)
    backoff.ended(31.0)
    assert backoff.pause(none) == GOOD[1]


def test_a_sign_of_life_counts_but_not_every_one() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.ended(0.0)
    assert backoff.renew(100.0) and backoff.pause(none) == 0.0
    backoff.ended(101.0)
    assert not backoff.renew(102.0)
    assert backoff.renew(100.0 + STEADY)


def test_chance_only_adds() -> None:
    backoff = Backoff()
    backoff.ended(0.0)
    assert backoff.pause(lambda: 1.0) == UNKNOWN[0] * (1 + JITTER)
