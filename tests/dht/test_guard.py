"""Reflection: to an address that has proved nothing never go more than three bytes for one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.crypto import blake2b, key_pair
from holdfast.dht import guard as limits
from holdfast.dht.commands import FIND_NODE, IMMUTABLE_GET, LOOKUP, PING
from holdfast.dht.guard import AMPLIFICATION, Datagram, Guard
from holdfast.dht.ids import node_id, pack
from holdfast.dht.packet import REPLY, REQUEST, Frame, decode_request, encode_reply
from holdfast.dht.records import Peer
from tests.dht.simnet import Addr, Host, SimNet, topic

STRANGER = ("198.51.100.7", 4444)
VALUE = b"x" * 1000


@pytest.fixture(scope="module")
def rich() -> Host:
    """A node that knows many others and keeps all that it can."""
    net = SimNet(3)
    host = net.grow(40)[0]
    host.storage.put_immutable(VALUE, "", net.now)
    for n in range(60):
        record = Peer(key_pair(bytes([n]) * 32).public_key, (STRANGER,) * 3).encode()
        host.storage.keep_peer(topic(1), record[:32], record, "", net.now)
    return host


def _ask(host: Host, data: bytes, source: Addr = STRANGER) -> list[bytes]:
    """What goes back to an address for one datagram from there."""
    host.node.receive(data, source, host.net.now)
    sent = [out.data for out in host.node.to_send(host.net.now) if out.addr[0] == source[0]]
    return sent


targets = st.sampled_from([topic(1), blake2b(VALUE), bytes(32)]) | st.none()
requests = st.builds(
    lambda internal, command, target, value, named, token, least: Frame(
        command,
        internal=internal,
        id32=node_id(pack(STRANGER)) if named else None,
        token=token,
        target=target,
        value=value,
        least=least,
    ),
    st.booleans(),
    st.integers(0, 12),
    targets,
    st.none() | st.binary(min_size=1, max_size=8),
    st.booleans(),
    st.none() | st.just(bytes(32)),
    st.sampled_from([0, 14, 65]),
)


@settings(max_examples=300, deadline=None)
@given(frames=st.lists(requests, min_size=1, max_size=12), seed=st.integers(0, 1 << 32))
def test_never_more_than_three_times_as_much(rich: Host, frames: list[Frame], seed: int) -> None:
    """Whatever is asked, in any order, by somebody who never answers."""
    host = f"198.51.{random.Random(seed).randrange(256)}.{seed % 255}"
    source = (host, 4444)
    got = sent = 0
    for number, frame in enumerate(frames):
        data = frame.encode(number.to_bytes(2, "little"), bytes(6))
        got += len(data)
        sent += sum(map(len, _ask(rich, data, source)))
        assert sent <= AMPLIFICATION * got


@pytest.mark.parametrize(
    ("command", "target"), [(LOOKUP, topic(1)), (IMMUTABLE_GET, blake2b(VALUE))]
)
def test_a_long_answer_waits_for_a_sign_of_life(rich: Host, command: int, target: bytes) -> None:
    source = ("203.0.113.9", 1000 + command)
    question = Frame(command, target=target).encode(b"\x01\x02", bytes(6))
    (probe,) = _ask(rich, question, source)
    packet = decode_request(probe)
    assert (packet.internal, packet.command) == (True, PING)
    pong = encode_reply(packet.tid, bytes(6))
    (answer,) = _ask(rich, pong, source)
    assert answer[0] == REPLY and len(answer) > 1000
    assert answer[2:4] == b"\x01\x02"
    (again,) = _ask(rich, question, source)
    assert len(again) == len(answer), "the proof holds for later questions"
    rich.node.answers.guard._proved.clear()


def test_somebody_else_cannot_prove_it(rich: Host) -> None:
    source = ("203.0.113.10", 1000)
    question = Frame(LOOKUP, target=topic(1)).encode(b"\x01\x02", bytes(6))
    (probe,) = _ask(rich, question, source)
    pong = encode_reply(decode_request(probe).tid, bytes(6))
    assert _ask(rich, pong, ("203.0.113.11", 1000)) == []
    assert _ask(rich, pong, ("203.0.113.10", 1001)) == []


def test_our_own_questions_are_long_enough_for_their_answers() -> None:
    """Two nodes that have never met answer each other at once and in full."""
    net = SimNet(4)
    hosts = net.grow(30)
    newcomer = net.host([hosts[0].addr], stays=False)
    for host in hosts:
        host.node.answers.guard._proved.clear()
    seen: list[bytes] = []
    net.spy = lambda source, to, data: seen.append(data) if to[0] == newcomer.name else None
    newcomer.find_node(topic(5))
    requests = [data for data in seen if data[0] == REQUEST]
    assert requests == []
    assert max(map(len, seen)) >= 10 + 32 + 1 + 20 * 6


def test_a_request_under_a_false_id_makes_nobody_known(rich: Host) -> None:
    known = len(rich.node.table)
    frame = Frame(FIND_NODE, internal=True, id32=node_id(pack(STRANGER)), target=topic(2))
    _ask(rich, frame.encode(b"\x00\x00", bytes(6)), ("203.0.113.77", 9))
    _ask(rich, frame.encode(b"\x00\x00", bytes(6)), STRANGER)
    assert len(rich.node.table) == known, "its own id, but it has not shown that it is there"


def test_what_is_held_is_bounded() -> None:
    guard, now = Guard(), 0.0
    pinged = 0
    for n in range(1000):
        answer = Datagram(b"x" * 1400, (f"10.0.{n >> 8}.{n & 255}", 1), None)
        pinged += guard.hold(answer, now)
    assert pinged == limits.MOST_HELD
    one = Guard()
    for _ in range(100):
        one.hold(Datagram(b"x", ("10.0.0.1", 1), None), now)
    assert len(one.prove("10.0.0.1", now)) == limits.MOST_HELD_OF_ONE
    assert guard.hold(Datagram(b"x", ("10.9.9.9", 1), None), limits.HELD_FOR + 0.1)
    assert guard.dropped == 1000


def test_a_proof_ends() -> None:
    guard = Guard()
    guard.prove("10.0.0.1", 0.0)
    assert guard.is_proved("10.0.0.1", limits.GOOD_FOR - 1)
    assert not guard.is_proved("10.0.0.1", limits.GOOD_FOR + 1)
    for n in range(limits.MOST_PROVED + 10):
        guard.prove(f"h{n}", 0.0)
    assert not guard.is_proved("h0", 1.0)
