from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import encode_string, encode_uint
from holdfast.errors import DecodeError
from holdfast.net.relay.wire import (
    MAX_PLACE_ADDRESSES,
    MAX_PLACES,
    Place,
    Reason,
    RelayRefused,
    Welcome,
    decode_keys,
    decode_places,
    decode_welcome,
    encode_hello,
    encode_keys,
    encode_places,
    encode_welcome,
    relay_topic,
    speaks_ours,
)

keys = st.binary(min_size=32, max_size=32)
places = st.builds(
    Place,
    keys,
    st.lists(st.text("abc:.0", min_size=1, max_size=20), max_size=MAX_PLACE_ADDRESSES).map(tuple),
)


@given(st.lists(places, max_size=MAX_PLACES))
def test_places_come_back(given: list[Place]) -> None:
    body = encode_places(given)
    assert decode_places(body, 0) == (given, len(body))


@given(st.lists(keys, max_size=70))
def test_keys_come_back(given: list[bytes]) -> None:
    body = b"x" + encode_keys(given)
    assert decode_keys(body, 1) == (given, len(body))


@given(st.binary(max_size=200))
def test_nonsense_is_refused_or_read(body: bytes) -> None:
    for decode in (decode_places, decode_keys):
        try:
            decode(body, 0)
        except DecodeError:
            pass
    for read in (decode_welcome, speaks_ours):
        try:
            read(body)
        except DecodeError:
            pass


def test_too_much_is_left_out_when_sent_and_refused_when_received() -> None:
    place = Place(b"k" * 32, ("a:1", "b" * 300, "c:1", "d:1", "e:1", "f:1"))
    sent, _ = decode_places(encode_places([place] * 20), 0)
    assert len(sent) == MAX_PLACES
    assert sent[0].addresses == ("a:1", "c:1", "d:1", "e:1")
    for body in (
        encode_uint(9) + (b"k" * 32 + b"\x00") * 9,
        encode_uint(1) + b"k" * 32 + encode_uint(5) + encode_string("a") * 5,
        encode_uint(1) + b"k" * 32 + encode_uint(1) + encode_string("a" * 256),
        encode_uint(1) + b"k" * 32 + encode_uint(1) + encode_string("a\x1b[2J"),
        encode_uint(1 << 40),
    ):
        try:
            decode_places(body, 0)
        except DecodeError:
            continue
        raise AssertionError(body)


def test_handshakes() -> None:
    assert speaks_ours(encode_hello())
    for welcome in (Welcome(True), Welcome(False)):
        assert speaks_ours(encode_welcome(welcome))
        assert decode_welcome(encode_welcome(welcome)) == welcome
    assert not speaks_ours(b"\x02")


def test_every_reason_has_a_sentence_and_unknown_ones_one_too() -> None:
    said = {RelayRefused(reason).message for reason in Reason}
    assert len(said) == len(Reason)
    assert RelayRefused(99).message == "The relay refused."
    assert RelayRefused(Reason.FULL).code == "relay-refused"


def test_a_relay_cannot_use_a_topic_it_knows() -> None:
    topic = b"t" * 32
    assert relay_topic(topic) != topic and relay_topic(topic) == relay_topic(topic)
