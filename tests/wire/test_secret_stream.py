"""The encrypted connection: what passes, what does not, and who is on the other side."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import key_pair
from holdfast.errors import ClosedError, DecodeError, HandshakeError, PeerUnreachable
from holdfast.wire import (
    HANDSHAKE_TIMEOUT,
    KEEP_ALIVE,
    MAX_MESSAGE,
    HandshakeResult,
    HandshakeState,
    SecretStream,
)
from tests.vectors.load import VECTORS
from tests.wire.streams import DIALLER, LISTENER, STRANGER, bytes_of, opened, pair, settle
from tests.wire.test_framing import CUTS, chopped

MESSAGES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
HEADER_FRAME = 3 + 32 + 24


def test_the_handshake_has_the_peers_shape() -> None:
    """Bodies of 32, 96 and 64 bytes, then a header each (wire notes 4.4)."""
    one, two = pair()
    first = bytes_of(one)
    assert (len(first), first[:3]) == (35, b"\x20\x00\x00")
    two.receive(first)
    second = bytes_of(two)
    assert (len(second), second[:3]) == (99, b"\x60\x00\x00")
    one.receive(second)
    assert one.opened
    assert not two.opened
    one.write(b"data with the third message")
    third = bytes_of(one)
    assert third[:3] == b"\x40\x00\x00"
    assert third[67:70] == b"\x38\x00\x00"
    assert len(third) == 67 + HEADER_FRAME + 3 + 27 + 17
    assert two.receive(third) == [b"data with the third message"]
    assert len(bytes_of(two)) == HEADER_FRAME


def test_the_stream_ids_of_the_vectors() -> None:
    """From the golden handshake on, everything but the random header is known."""
    vector = VECTORS["noiseXX"]
    one, two = (
        SecretStream(
            side == "initiator",
            key_pair(bytes.fromhex(vector[f"{side}StaticSeed"])),
            generate=lambda side=side: key_pair(bytes.fromhex(vector[f"{side}EphemeralSeed"])),  # type: ignore[misc]
        )
        for side in ("initiator", "responder")
    )
    sent = {1: b"", 2: b""}
    for _ in range(3):
        forth = bytes_of(one)
        sent[1] += forth
        two.receive(forth)
        back = bytes_of(two)
        sent[2] += back
        one.receive(back)
    first, second, third = map(bytes.fromhex, vector["messages"])
    assert sent[1][3:35] == first
    assert sent[1][38:102] == third
    assert sent[1][105:137].hex() == vector["streamIdInitiator"]
    assert sent[2][3:99] == second
    assert sent[2][102:134].hex() == vector["streamIdResponder"]


def test_both_know_who_the_other_is() -> None:
    one, two = opened()
    assert one.remote_public_key == LISTENER.public_key
    assert two.remote_public_key == DIALLER.public_key
    assert one.handshake_hash == two.handshake_hash
    assert len(one.handshake_hash) == 64
    assert one.bytes_sent == two.bytes_received > 0


def test_nobody_is_known_before() -> None:
    one, _ = pair()
    with pytest.raises(ClosedError):
        _ = one.remote_public_key
    with pytest.raises(ClosedError):
        _ = one.handshake_hash


@given(MESSAGES, MESSAGES, CUTS, CUTS)
def test_messages_pass_whole_and_in_order(
    forth: list[bytes], back: list[bytes], cuts: list[int], other_cuts: list[int]
) -> None:
    """Written at any time, before the handshake too, and cut anywhere on the way."""
    one, two = pair()
    got: dict[int, list[bytes]] = {1: [], 2: []}
    for message in forth[:2]:
        one.write(message)
    rest = forth[2:], list(back)
    for _ in range(8):
        for piece in chopped(bytes_of(one), cuts):
            got[2] += two.receive(piece)
        if rest[1]:
            two.write(rest[1].pop(0))
        for piece in chopped(bytes_of(two), other_cuts):
            got[1] += one.receive(piece)
        if rest[0]:
            one.write_parts((rest[0][0][:1], memoryview(rest[0].pop(0))[1:]))
    for message in rest[0]:
        one.write(message)
    for message in rest[1]:
        two.write(message)
    last = settle(one, two)
    assert got[2] + last[1] == forth
    assert got[1] + last[0] == back


@given(st.data())
def test_a_change_anywhere_kills_the_stream(data: st.DataObject) -> None:
    """Handshake, header or message: the side that reads it refuses, and stays closed."""
    one, two = pair()
    sides = {1: one, 2: two}
    target = data.draw(st.integers(0, 99 + 35 + 67 + 2 * HEADER_FRAME + 2 * 25 - 1))
    bit = data.draw(st.integers(0, 7))
    one.write(b"hello")
    two.write(b"hello")
    with pytest.raises((HandshakeError, DecodeError)):
        passed = 0
        for _ in range(4):
            for sender in (1, 2):
                chunk = bytearray(bytes_of(sides[sender]))
                if passed <= target < passed + len(chunk):
                    chunk[target - passed] ^= 1 << bit
                passed += len(chunk)
                sides[3 - sender].receive(chunk)
                sides[3 - sender].receive(bytes(70_000))  # whatever a false length waits for
    broken = next(side for side in (one, two) if side.closed)
    assert broken.deadline() is None
    broken.write(b"ignored")
    broken.on_deadline(1e9)
    assert broken.to_send() == []
    with pytest.raises(ClosedError):
        broken.receive(b"more")


@pytest.mark.parametrize("harm", ["repeat", "drop", "swap"])
def test_frames_cannot_be_rearranged(harm: str) -> None:
    one, two = opened()
    frames = []
    for message in (b"a", b"b"):
        one.write(message)
        frames.append(bytes_of(one))
    first, second = frames
    bad = {"repeat": [first, first], "drop": [second], "swap": [second, first]}[harm]
    with pytest.raises(DecodeError):
        two.receive(b"".join(bad))


def test_the_dialler_refuses_a_stranger_before_naming_itself() -> None:
    one, two = pair({"expected_remote_key": STRANGER.public_key})
    two.receive(bytes_of(one))
    with pytest.raises(HandshakeError, match="somebody else"):
        one.receive(bytes_of(two))
    assert one.to_send() == []
    assert not one.opened


def test_the_listener_refuses_a_stranger() -> None:
    one, two = pair(None, {"expected_remote_key": STRANGER.public_key})
    with pytest.raises(HandshakeError, match="somebody else"):
        settle(one, two)
    assert not two.opened


def test_the_expected_peer_is_welcome() -> None:
    one, two = pair(
        {"expected_remote_key": LISTENER.public_key}, {"expected_remote_key": DIALLER.public_key}
    )
    one.write(b"hello")
    assert settle(one, two) == ([], [b"hello"])


def test_ik_over_a_stream() -> None:
    options = {"pattern": "IK", "prologue": b"prologue"}
    one, two = pair({**options, "expected_remote_key": LISTENER.public_key}, options)
    one.write(b"hello")
    assert settle(one, two) == ([], [b"hello"])
    assert two.remote_public_key == DIALLER.public_key


def _results() -> tuple[HandshakeResult, HandshakeResult]:
    one = HandshakeState("IK", True, DIALLER, remote_static=LISTENER.public_key)
    two = HandshakeState("IK", False, LISTENER)
    two.read(one.write(b"payload"))
    one.read(two.write())
    assert one.result is not None
    assert two.result is not None
    return one.result, two.result


def test_a_handshake_done_elsewhere() -> None:
    results = _results()
    one = SecretStream.after_handshake(True, results[0])
    two = SecretStream.after_handshake(False, results[1])
    assert one.opened
    one.write(b"at once")
    assert one.remote_public_key == LISTENER.public_key
    assert settle(one, two) == ([], [b"at once"])


def test_a_reflected_header_is_refused() -> None:
    """An echo of our own header proves nothing about the other side."""
    one = SecretStream.after_handshake(True, _results()[0])
    with pytest.raises(HandshakeError, match="wrongly"):
        one.receive(bytes_of(one))


@pytest.mark.parametrize("body", [b"", bytes(55), bytes(56), bytes(57)])
def test_a_header_that_is_none(body: bytes) -> None:
    one = SecretStream.after_handshake(True, _results()[0])
    with pytest.raises(HandshakeError):
        one.receive(len(body).to_bytes(3, "little") + body)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\xff" * 8,
    ],
)
def test_something_else_on_the_line_is_named_as_such(data: bytes) -> None:
    for stream in pair():
        with pytest.raises(HandshakeError, match="does not speak this protocol") as caught:
            stream.receive(data)
        assert "address" in caught.value.hint


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_any_bytes_are_refused_or_waited_for(
    chunks: list[bytes], initiator: bool, open_first: bool
) -> None:
    stream = (opened() if open_first else pair())[0 if initiator else 1]
    total = 0
    try:
        for chunk in chunks:
            total += len(chunk)
            assert stream.receive(chunk) == []
    except (HandshakeError, DecodeError):
        assert stream.closed
        return
    assert stream._frames.pending <= total


@pytest.mark.parametrize("is_open", [False, True])
def test_a_promised_frame_costs_what_has_come(is_open: bool) -> None:
    stream = (opened() if is_open else pair())[1]
    promise = b"\xff\xff\xff" if is_open else b"\x00\x10\x00"
    tracemalloc.start()
    try:
        stream.receive(promise + bytes(500))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, 16])
def test_a_frame_too_short_to_be_sealed(size: int) -> None:
    _, two = opened()
    with pytest.raises(DecodeError):
        two.receive(size.to_bytes(3, "little") + bytes(size))


def test_the_longest_message() -> None:
    one, two = opened()
    message = bytes(MAX_MESSAGE)
    one.write(message)
    (sealed,) = one.to_send()
    assert sealed[:3] == b"\xff\xff\xff"
    assert two.receive(sealed) == [message]
    with pytest.raises(ValueError, match="2\\*\\*24"):
        one.write(bytes(MAX_MESSAGE + 1))


def test_small_frames_leave_together_and_large_ones_alone() -> None:
    one, two = opened()
    large = bytes(65536)
    for message in (b"a", b"b", large, b"c", large, large, b"d", b"e"):
        one.write(message)
    sent = one.to_send()
    assert [len(piece) for piece in sent] == [42, 65556, 21, 65556, 65556, 42]
    assert len(two.receive(b"".join(sent))) == 8
    one.write(b"f")
    one.write(large)
    assert [len(piece) for piece in one.to_send()] == [21, 65556]


# ---------------------------------------------------------------- time


def test_silence_is_filled_and_the_filling_is_swallowed() -> None:
    one, two = opened()
    one.write(b"x")
    two.receive(b"".join(one.to_send(100.0)), 100.0)
    assert one.deadline() == 100.0 + KEEP_ALIVE
    one.on_deadline(100.0 + KEEP_ALIVE - 0.1)
    assert one.to_send(105.0) == []
    one.on_deadline(105.0)
    (empty,) = one.to_send(105.0)
    assert len(empty) == 20
    assert two.receive(empty, 105.0) == []
    assert one.deadline() == 110.0


def test_without_keep_alive_empty_messages_are_messages() -> None:
    one, two = opened(keep_alive=None)
    assert one.deadline() is None
    one.on_deadline(1e9)
    one.write(b"")
    assert settle(one, two) == ([], [b""])


def test_a_silent_peer_is_given_up() -> None:
    one, _ = opened(idle_timeout=20.0, keep_alive=None)
    one.receive(b"", 7.0)
    assert one.deadline() == 27.0
    one.on_deadline(26.9)
    with pytest.raises(PeerUnreachable, match="silent"):
        one.on_deadline(27.0)
    assert one.closed


@pytest.mark.parametrize("side", [0, 1])
def test_a_handshake_that_does_not_end_is_given_up(side: int) -> None:
    stream = pair({"now": 50.0}, {"now": 50.0})[side]
    assert stream.deadline() == 50.0 + HANDSHAKE_TIMEOUT
    stream.on_deadline(50.0 + HANDSHAKE_TIMEOUT - 0.1)
    with pytest.raises(HandshakeError, match="in time"):
        stream.on_deadline(50.0 + HANDSHAKE_TIMEOUT)


def test_dribbling_does_not_buy_time() -> None:
    _, two = pair()
    for second in range(14):
        two.receive(b"\x20" if not second else b"\x00", float(second))
    assert two.deadline() == HANDSHAKE_TIMEOUT


def test_close_is_final() -> None:
    one, two = opened()
    one.write(b"never sent")
    one.close()
    one.close()
    assert bytes_of(one) == b""
    with pytest.raises(ClosedError):
        one.receive(b"")


def test_constructor_wants_what_the_pattern_needs() -> None:
    with pytest.raises(ValueError, match="public key"):
        SecretStream(True, DIALLER, pattern="IK")
