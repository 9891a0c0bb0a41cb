"""The handshake, byte for byte as the peers do it, and against every kind of harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import KeyPair, key_pair
from holdfast.errors import HandshakeError
from holdfast.wire import HandshakeState
from tests.vectors.load import VECTORS

INITIATOR, RESPONDER, STRANGER = (key_pair(bytes([n]) * 32) for n in (1, 2, 3))
PATTERNS = ["XX", "IK"]
LENGTHS = {"XX": [32, 96, 64], "IK": [96, 48]}


def pair(
    pattern: str, prologues: tuple[bytes, bytes] = (b"", b""), **changes: Any
) -> tuple[HandshakeState, HandshakeState]:
    """The two sides of a handshake that would succeed without ``changes``."""
    known = changes.get("known", RESPONDER.public_key) if pattern == "IK" else None
    one = HandshakeState(pattern, True, INITIATOR, remote_static=known, prologue=prologues[0])
    two = HandshakeState(pattern, False, RESPONDER, prologue=prologues[1])
    return one, two


def run(one: HandshakeState, two: HandshakeState, payload: bytes = b"") -> list[bytes]:
    """Carry messages to and fro until both are done; returns them."""
    messages = []
    writer, reader = one, two
    while one.result is None or two.result is None:
        messages.append(writer.write(payload))
        assert reader.read(messages[-1]) == payload
        writer, reader = reader, writer
    return messages


@pytest.mark.parametrize("pattern", PATTERNS)
def test_golden_transcript(pattern: str) -> None:
    vector = VECTORS[f"noise{pattern}"]

    def keys(name: str) -> KeyPair:
        return key_pair(bytes.fromhex(vector[f"{name}Seed"]))

    prologue = bytes.fromhex(vector["prologue"])
    responder = keys("responderStatic")
    one = HandshakeState(
        pattern,
        True,
        keys("initiatorStatic"),
        remote_static=responder.public_key if pattern == "IK" else None,
        prologue=prologue,
        generate=lambda: keys("initiatorEphemeral"),
    )
    two = HandshakeState(
        pattern,
        False,
        responder,
        prologue=prologue,
        generate=lambda: keys("responderEphemeral"),
    )
    payloads = [bytes.fromhex(p) for p in vector["payloads"]] or [b""] * 3
    writer, reader = one, two
    for payload, message in zip(payloads, vector["messages"], strict=True):
        assert writer.write(payload).hex() == message
        assert reader.read(bytes.fromhex(message)) == payload
        writer, reader = reader, writer
    assert one.result is not None
    assert two.result is not None
    assert one.result.handshake_hash.hex() == two.result.handshake_hash.hex() == vector["hash"]
    assert one.result.tx.hex() == two.result.rx.hex() == vector["initiatorTx"]
    assert one.result.rx.hex() == two.result.tx.hex() == vector["initiatorRx"]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(payload=st.binary(max_size=100))
def test_both_sides_agree(pattern: str, payload: bytes) -> None:
    one, two = pair(pattern, (b"p", b"p"))
    messages = run(one, two, payload)
    assert [len(m) - len(payload) for m in messages] == LENGTHS[pattern]
    assert one.result is not None
    assert two.result is not None
    assert one.result.handshake_hash == two.result.handshake_hash
    assert (one.result.tx, one.result.rx) == (two.result.rx, two.result.tx)
    assert one.result.remote_public_key == one.remote_static == RESPONDER.public_key
    assert two.result.remote_public_key == two.remote_static == INITIATOR.public_key
    assert one.result.public_key == INITIATOR.public_key


def test_two_handshakes_share_nothing() -> None:
    first, second = pair("XX"), pair("XX")
    run(*first)
    run(*second)
    assert first[0].result is not None
    assert second[0].result is not None
    assert first[0].result.handshake_hash != second[0].result.handshake_hash
    assert first[0].result.tx != second[0].result.tx


@pytest.mark.parametrize("pattern", PATTERNS)
@given(data=st.data())
def test_a_change_anywhere_ends_it_on_one_side_or_both(pattern: str, data: st.DataObject) -> None:
    one, two = pair(pattern)
    number = data.draw(st.integers(0, len(LENGTHS[pattern]) - 1))
    place = data.draw(st.integers(0, LENGTHS[pattern][number] - 1))
    bit = data.draw(st.integers(0, 7))
    writer, reader = one, two
    with pytest.raises(HandshakeError):
        for turn in range(len(LENGTHS[pattern])):
            message = bytearray(writer.write())
            if turn == number:
                message[place] ^= 1 << bit
            reader.read(message)
            writer, reader = reader, writer


@pytest.mark.parametrize(
    ("pattern", "number", "keep"),
    [
        (pattern, number, keep)
        for pattern in PATTERNS
        for number, length in enumerate(LENGTHS[pattern])
        for keep in (0, 1, 31, 32, 47, 63, length - 1)
        if keep < length
    ],
)
def test_a_cut_message_is_refused(pattern: str, number: int, keep: int) -> None:
    one, two = pair(pattern)
    writer, reader = one, two
    for _ in range(number):
        reader.read(writer.write())
        writer, reader = reader, writer
    with pytest.raises(HandshakeError):
        reader.read(writer.write()[:keep])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_prologues_must_agree(pattern: str) -> None:
    one, two = pair(pattern, (b"one", b"two"))
    with pytest.raises(HandshakeError):
        run(one, two)


def test_ik_to_somebody_else() -> None:
    one, two = pair("IK", known=STRANGER.public_key)
    with pytest.raises(HandshakeError):
        two.read(one.write())


@pytest.mark.parametrize("known", [None, b"", bytes(31)])
def test_ik_needs_the_responders_key(known: bytes | None) -> None:
    with pytest.raises(ValueError, match="public key"):
        HandshakeState("IK", True, INITIATOR, remote_static=known)


def test_turns_are_kept() -> None:
    one, two = pair("XX")
    with pytest.raises(HandshakeError, match="turn"):
        two.write()
    first = one.write()
    with pytest.raises(HandshakeError, match="turn"):
        one.write()
    two.read(first)
    with pytest.raises(HandshakeError, match="turn"):
        two.read(first)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_follows_the_end(pattern: str) -> None:
    one, two = pair(pattern)
    run(one, two)
    for side in (one, two):
        with pytest.raises(HandshakeError, match="turn"):
            side.write()
        with pytest.raises(HandshakeError, match="turn"):
            side.read(bytes(64))


def test_sizes_of_the_specification() -> None:
    one, two = pair("XX")
    with pytest.raises(HandshakeError, match="longer"):
        two.read(bytes(65536))
    with pytest.raises(ValueError, match="fit"):
        one.write(bytes(65536))


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_weak_ephemeral_key_is_refused(key: bytes) -> None:
    """A point of small order would make the shared secret the same for everybody."""
    _, two = pair("XX")
    two.read(key)
    with pytest.raises(HandshakeError, match="point"):
        two.write()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_noise_on_the_line_is_refused(first: bytes, second: bytes) -> None:
    for pattern in PATTERNS:
        one, two = pair(pattern)
        with pytest.raises(HandshakeError):
            two.read(first)
            two.write()
            two.read(second)
            raise HandshakeError("IK ends with the second message")
        one.write()
        with pytest.raises(HandshakeError):
            one.read(second)


def test_a_result_keeps_its_keys_to_itself() -> None:
    one, two = pair("XX")
    run(one, two)
    assert one.result is not None
    for secret in (one.result.tx, one.result.rx):
        assert secret.hex() not in repr(one.result)
        assert repr(secret) not in repr(one.result)
