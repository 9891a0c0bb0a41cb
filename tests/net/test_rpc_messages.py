from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import encode_uint
from holdfast.errors import DecodeError
from holdfast.net.rpc import messages
from holdfast.net.rpc.messages import Opening
from holdfast.net.rpc.shared import MAX_PAYLOAD, RpcLimits, failure_of

numbers = st.integers(0, 2**53 - 1)


def joined(parts: tuple[Any, ...]) -> memoryview:
    return memoryview(b"".join(parts))


@given(numbers, numbers, numbers)
def test_an_opening_comes_back(payload: int, requests: int, size: int) -> None:
    opening = Opening(payload, requests, size)
    assert messages.decode_opening(memoryview(messages.encode_opening(opening))) == opening
    newer = messages.encode_opening(opening)[1:] + b"more"
    assert messages.decode_opening(memoryview(b"\x02" + newer)) == opening


@given(numbers, st.text(max_size=16), st.binary())
def test_a_request_comes_back(number: int, method: str, payload: bytes) -> None:
    body = joined(messages.encode_numbered(number, method, payload))
    found = messages.decode_numbered(body, 64)
    assert (found.number, found.text, bytes(found.rest)) == (number, method, payload)


@given(numbers, st.text(max_size=8), st.text())
def test_a_failure_comes_back_cut(number: int, kind: str, sentence: str) -> None:
    body = memoryview(messages.encode_failure(number, kind, sentence))
    assert messages.decode_failure(body) == (number, kind, messages.cut(sentence))
    assert len(messages.cut(sentence).encode()) <= messages.MAX_SENTENCE


@given(numbers, numbers, st.binary())
def test_an_event_and_a_subscription_come_back(number: int, other: int, payload: bytes) -> None:
    event = messages.decode_event(joined(messages.encode_event(number, other, payload)))
    assert (event.number, event.missed, bytes(event.payload)) == (number, other, payload)
    wish = memoryview(messages.encode_subscribe(number, other, "news"))
    assert messages.decode_subscribe(wish, 64) == (number, other, "news")
    assert messages.decode_numbers(memoryview(messages.encode_numbers(number, other)), 2) == [
        number,
        other,
    ]


DECODERS: list[Callable[[memoryview], object]] = [
    messages.decode_opening,
    messages.decode_failure,
    messages.decode_event,
    lambda body: messages.decode_numbered(body, 64),
    lambda body: messages.decode_numbers(body, 2),
    lambda body: messages.decode_subscribe(body, 64),
]


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=64))
def test_rubbish_is_a_decode_error_or_a_message(
    decode: Callable[[memoryview], object], data: bytes
) -> None:
    try:
        decode(memoryview(data))
    except DecodeError:
        pass


def test_long_names_and_version_zero_are_refused() -> None:
    long = encode_uint(1) + encode_uint(65) + b"a" * 65
    with pytest.raises(DecodeError, match="too long"):
        messages.decode_numbered(memoryview(long), 64)
    with pytest.raises(DecodeError, match="too long"):
        messages.decode_subscribe(memoryview(encode_uint(1) + long), 64)
    with pytest.raises(DecodeError, match="never existed"):
        messages.decode_opening(memoryview(bytes(4)))


def test_limits_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        RpcLimits(payload=MAX_PAYLOAD + 1)
    with pytest.raises(ValueError, match="must fit"):
        RpcLimits(payload=1000, bytes=1000)


def test_a_kind_nobody_knows_is_kept() -> None:
    assert failure_of("closed-today", "Only on Sundays.").kind == "closed-today"
