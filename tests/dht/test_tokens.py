"""Tokens: one for each host, good for one to two rotations."""

from __future__ import annotations

from holdfast.dht.tokens import ROTATION, Tokens
from tests.vectors.load import VECTORS, unhex


def test_a_token_is_that_of_the_peers() -> None:
    tokens = Tokens(lambda count: b"\x02" * count)
    host = VECTORS["dhtrpc"]["tokenHost"]
    assert tokens.token(host, 0.0) == unhex("dhtrpc", "token")


def test_a_token_lives_for_one_to_two_rotations() -> None:
    numbers = iter(range(1, 100))
    tokens = Tokens(lambda count: bytes([next(numbers)]) * count)
    token = tokens.token("10.0.0.1", 0.0)
    assert tokens.is_good(token, "10.0.0.1", ROTATION - 0.1)
    assert tokens.is_good(token, "10.0.0.1", 2 * ROTATION - 0.2)
    assert not tokens.is_good(token, "10.0.0.1", 2 * ROTATION + ROTATION)


def test_a_long_silence_ends_all_tokens() -> None:
    numbers = iter(range(1, 100))
    tokens = Tokens(lambda count: bytes([next(numbers)]) * count)
    token = tokens.token("10.0.0.1", 0.0)
    assert not tokens.is_good(token, "10.0.0.1", 1000.0)


def test_a_token_is_for_one_host() -> None:
    tokens = Tokens(lambda count: b"\x02" * count)
    token = tokens.token("10.0.0.1", 0.0)
    assert not tokens.is_good(token, "10.0.0.2", 0.0)
    assert not tokens.is_good(bytes(32), "10.0.0.1", 0.0)
