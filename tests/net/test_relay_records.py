from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import key_pair
from holdfast.dht.records import Mutable
from holdfast.errors import DecodeError
from holdfast.net.relay.records import (
    LIFETIME,
    MAX_LIFETIME,
    MAX_RECORD,
    Whereabouts,
    make_record,
    newer,
    places_of,
    read_record,
)
from holdfast.net.relay.wire import Place

KEYS = key_pair(b"k" * 32)
PLACE = Place(b"r" * 32, ("192.0.2.1:49737", "wss://relay.example/"))
NOW = 1_800_000_000.0


def test_a_record_says_where_somebody_is_until_it_expires() -> None:
    record = make_record(KEYS, [PLACE], 7, NOW)
    assert read_record(record.encode(), KEYS.public_key) == record
    assert places_of(record, NOW) == [PLACE]
    assert places_of(record, NOW + LIFETIME - 1) == [PLACE]
    assert places_of(record, NOW + LIFETIME) == []
    assert places_of(None, NOW) == []


def test_nobody_can_claim_to_be_somewhere_for_ever() -> None:
    value = Whereabouts(NOW + MAX_LIFETIME + 10, (PLACE,)).encode()
    assert places_of(Mutable.make(KEYS, value, 1), NOW) == []
    assert places_of(Mutable.make(KEYS, value, 1), NOW + 20) == [PLACE]


def test_what_others_signed_or_changed_does_not_count() -> None:
    body = make_record(KEYS, [PLACE], 7, NOW).encode()
    for spoilt in (b"\x08" + body[1:], body[:-1], body[:-1] + b"\x00", body + bytes(MAX_RECORD)):
        with pytest.raises(DecodeError):
            read_record(spoilt, KEYS.public_key)
    with pytest.raises(DecodeError):
        read_record(body, key_pair().public_key)


def test_a_record_about_something_else_says_nothing_here() -> None:
    assert places_of(Mutable.make(KEYS, b"a poem", 1), NOW) == []


def test_a_record_fits_into_a_datagram_whatever_there_is_to_say() -> None:
    many = [Place(bytes([n]) * 32, tuple(["x" * 250] * 4)) for n in range(8)]
    record = make_record(KEYS, many, 1 << 50, NOW)
    assert len(record.encode()) <= MAX_RECORD
    small = [Place(bytes([n]) * 32, ("192.0.2.1:1",)) for n in range(8)]
    assert places_of(make_record(KEYS, small, 1, NOW), NOW) == small


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(min_size=1, max_size=3)), max_size=5))
def test_everybody_ends_with_the_same_record_in_whatever_order_they_come(
    said: list[tuple[int, bytes]],
) -> None:
    records = [Mutable.make(KEYS, value, seq) for seq, value in said]
    ends = set()
    for order in itertools.permutations(records):
        best: Mutable | None = None
        for record in order:
            best = newer(best, record)
        ends.add(best)
    assert len(ends) == 1
    if records:
        assert max(said) == (best.seq, best.value)  # type: ignore[union-attr]


@given(st.binary(max_size=300))
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_record(body, KEYS.public_key)
    for junk in (body, b"HFR1" + body):
        assert places_of(Mutable(1, junk, b""), NOW) == [] or junk.startswith(b"HFR1")
