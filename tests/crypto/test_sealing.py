"""Secrets under a passphrase."""

from __future__ import annotations

import struct

import pytest

from holdfast.crypto import passphrase_key, seal, unseal
from holdfast.errors import DamagedError, PassphraseError

SECRET = bytes(range(32))
CHEAP = {"passes": 1, "memory_mib": 1}


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal(SECRET, "māori kūmara", **CHEAP)


def test_the_passphrase_opens_it(sealed: bytes) -> None:
    assert unseal(sealed, "māori kūmara") == SECRET
    assert unseal(sealed, "māori kūmara".encode()) == SECRET
    assert SECRET not in sealed
    assert len(sealed) == len(SECRET) + 60


def test_another_passphrase_does_not(sealed: bytes) -> None:
    with pytest.raises(PassphraseError):
        unseal(sealed, "maori kumara")


def test_two_seals_differ_unless_chance_is_fixed(sealed: bytes) -> None:
    assert seal(SECRET, "x", **CHEAP) != seal(SECRET, "x", **CHEAP)
    fixed = [seal(SECRET, "x", random=bytes, **CHEAP) for _ in range(2)]
    assert fixed[0] == fixed[1]


@pytest.mark.parametrize("length", [0, 1, 59])
def test_a_cut_one_is_damaged(sealed: bytes, length: int) -> None:
    with pytest.raises(DamagedError):
        unseal(sealed[:length], "x")


@pytest.mark.parametrize(
    "header",
    [(0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 255, 1), (1, 1, 0), (1, 1, 65535)],
)
def test_absurd_headers_are_refused_before_any_work(
    sealed: bytes, header: tuple[int, int, int]
) -> None:
    with pytest.raises(DamagedError):
        unseal(struct.pack("<BBH", *header) + sealed[4:], "x")


def test_costs_and_salt_change_the_key() -> None:
    keys = {
        passphrase_key("p", bytes(16), passes=1, memory_mib=1),
        passphrase_key("p", bytes(16), passes=2, memory_mib=1),
        passphrase_key("p", bytes(16), passes=1, memory_mib=2),
        passphrase_key("p", b"1" * 16, passes=1, memory_mib=1),
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
