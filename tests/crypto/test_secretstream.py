"""The cipher of an open connection, in both implementations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import STREAM_OVERHEAD, Pull, Push, PushStream, secretstream
from holdfast.crypto.secretstream import NativePull, NativePush, PortablePull, PortablePush
from holdfast.errors import DecodeError

KEY = bytes(range(32))
PUSHES: list[Callable[[bytes], Push]] = [NativePush, PortablePush]
PULLS: list[Callable[[bytes, bytes], Pull]] = [NativePull, PortablePull]

both = pytest.mark.parametrize(("push_type", "pull_type"), [(a, b) for a in PUSHES for b in PULLS])


@both
@given(messages=st.lists(st.binary(max_size=300), max_size=6))
def test_what_one_seals_the_other_opens(
    push_type: Callable[[bytes], Push],
    pull_type: Callable[[bytes, bytes], Pull],
    messages: list[bytes],
) -> None:
    push = push_type(KEY)
    pull = pull_type(KEY, push.header)
    for message in messages:
        sealed = push.push(memoryview(message))
        assert len(sealed) == len(message) + STREAM_OVERHEAD
        assert pull.pull(memoryview(bytearray(sealed))) == message


@both
@pytest.mark.parametrize("size", [0, 1, 100, 70_000])
def test_in_place(
    push_type: Callable[[bytes], Push], pull_type: Callable[[bytes, bytes], Pull], size: int
) -> None:
    message = bytes(i % 251 for i in range(size))
    push = push_type(KEY)
    pull = pull_type(KEY, push.header)
    buffer = bytearray(b"abc" + bytes(1) + message + bytes(16))
    push.push_in_place(buffer, 3)
    assert buffer[:3] == b"abc"
    assert pull.pull(bytes(buffer[3:])) == message


@pytest.mark.parametrize("pull_type", PULLS)
@pytest.mark.parametrize("harm", ["bit", "cut", "short", "empty", "repeat", "skip"])
def test_harm_is_noticed(pull_type: Callable[[bytes, bytes], Pull], harm: str) -> None:
    push = PushStream(KEY)
    pull = pull_type(KEY, push.header)
    first, second = push.push(b"first"), push.push(b"second")
    bad = {
        "bit": bytes([first[0] ^ 1]) + first[1:],
        "cut": first[:-1],
        "short": first[:16],
        "empty": b"",
        "repeat": first,
        "skip": second,
    }[harm]
    if harm == "repeat":
        assert pull.pull(first) == b"first"
    with pytest.raises(DecodeError):
        pull.pull(bad)


@pytest.mark.parametrize("push_type", PUSHES)
def test_two_streams_of_one_key_differ(push_type: Callable[[bytes], Push]) -> None:
    one, two = push_type(KEY), push_type(KEY)
    assert one.header != two.header
    assert one.push(b"same") != two.push(b"same")


def test_sizes_are_checked_before_c_sees_them() -> None:
    with pytest.raises(ValueError, match="32"):
        NativePush(bytes(31))
    with pytest.raises(ValueError, match="24"):
        NativePull(KEY, bytes(23))
    for buffer, start in ((bytearray(16), 0), (bytearray(30), 20), (bytearray(30), -1)):
        with pytest.raises(ValueError, match="room"):
            NativePush(KEY).push_in_place(buffer, start)


class _Careless(PortablePull):
    """Opens nothing and notices nothing."""

    def pull(self, sealed: object) -> bytes:
        return b""


class _Absent(PortablePush):
    """A library without the function."""

    def push(self, plain: object) -> bytes:
        raise AttributeError("crypto_secretstream_xchacha20poly1305_push")


def test_the_self_test_takes_the_native_form_and_refuses_broken_ones() -> None:
    assert secretstream.secretstream_is_native
    assert secretstream._agree(NativePush, NativePull)
    assert secretstream._agree(PortablePush, PortablePull)
    assert not secretstream._agree(NativePush, _Careless)
    assert not secretstream._agree(_Absent, NativePull)
