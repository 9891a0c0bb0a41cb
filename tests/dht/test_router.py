"""Who may send what through a node, and to whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.dht.handshake_messages import Handshake, Holepunch, Mode
from holdfast.dht.nat import Address
from holdfast.dht.router import (
    CONVERSATION_AGE,
    FORWARD_AGE,
    FORWARDS_PER_HOST,
    MAX_CONVERSATIONS,
    Answer,
    Decision,
    Pass,
    Router,
    Serve,
)

TARGET, UNKNOWN = b"t" * 32, b"u" * 32
CLIENT, RELAY, SERVER, VICTIM = (("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3), ("9.9.9.9", 9))
NOISE, TID = b"noise", b"55"


def hello(mode: int = Mode.CLIENT, **addresses: Address) -> bytes:
    return Handshake(mode, NOISE, **addresses).encode()


def word(mode: int = Mode.CLIENT, peer: Address | None = None) -> bytes:
    return Holepunch(mode, 7, b"sealed", peer).encode()


@pytest.fixture
def relay() -> Router:
    router = Router()
    assert router.set(TARGET, SERVER, b"record", 0.0)
    return router


@pytest.fixture
def server() -> Router:
    router = Router()
    router.serve(TARGET, b"record")
    return router


def value(decision: Decision) -> bytes:
    assert isinstance(decision, Answer | Pass)
    assert decision.value is not None
    return decision.value


def test_there_and_back_again(relay: Router, server: Router) -> None:
    passed = relay.handshake(TARGET, hello(), CLIENT, TID, 0.0)
    assert passed == Pass(hello(Mode.RELAY, peer_address=CLIENT), SERVER)
    asked = server.handshake(TARGET, value(passed), RELAY, TID, 0.0)
    assert isinstance(asked, Serve)
    back = server.served(asked, b"reply", RELAY)
    assert isinstance(back, Pass)
    assert back.to == RELAY
    answer = relay.handshake(TARGET, back.value, SERVER, TID, 0.1)
    assert isinstance(answer, Answer)
    assert answer.to == CLIENT
    assert Handshake.decode(value(answer)) == Handshake(Mode.REPLY, b"reply", SERVER)


def test_two_relays(relay: Router, server: Router) -> None:
    first = relay.handshake(TARGET, hello(Mode.RELAY, peer_address=CLIENT), RELAY, TID, 0.0)
    asked = server.handshake(TARGET, value(first), ("10.0.0.9", 9), TID, 0.0)
    assert isinstance(asked, Serve)
    back = server.served(asked, b"reply", ("10.0.0.9", 9))
    assert isinstance(back, Pass)
    assert back.to == RELAY


def test_a_server_asked_directly_answers_directly(server: Router) -> None:
    asked = server.handshake(TARGET, hello(), CLIENT, TID, 0.0)
    assert isinstance(asked, Serve)
    assert server.served(asked, b"reply", CLIENT) == Answer(
        Handshake(Mode.REPLY, b"reply").encode()
    )


def test_who_asks_for_a_stranger_is_helped_on(relay: Router) -> None:
    assert relay.handshake(UNKNOWN, hello(), CLIENT, TID, 0.0) == Answer(None, closer_nodes=True)


def test_a_client_does_not_choose_where_packets_go(relay: Router) -> None:
    asked = hello(relay_address=VICTIM)
    assert relay.handshake(UNKNOWN, asked, CLIENT, TID, 0.0) == Answer(None, closer_nodes=True)
    passed = relay.handshake(TARGET, asked, CLIENT, TID, 0.0)
    assert isinstance(passed, Pass)
    assert passed.to == SERVER
    assert relay.holepunch(TARGET, word(peer=VICTIM), CLIENT, TID, 0.0) is None
    assert relay.holepunch(UNKNOWN, word(peer=VICTIM), CLIENT, TID, 0.0) is None


def test_nobody_is_answered_who_has_not_asked(relay: Router) -> None:
    forged = hello(Mode.SERVER, peer_address=VICTIM)
    assert relay.handshake(TARGET, forged, SERVER, TID, 0.0) is None
    assert relay.holepunch(TARGET, word(Mode.SERVER, VICTIM), SERVER, TID, 0.0) is None
    relay.handshake(TARGET, hello(), CLIENT, TID, 0.0)
    mine = hello(Mode.SERVER, peer_address=CLIENT)
    assert relay.handshake(TARGET, mine, SERVER, b"66", 0.0) is None
    assert relay.handshake(TARGET, mine, SERVER, TID, CONVERSATION_AGE + 1) is None
    assert relay.handshake(TARGET, mine, SERVER, TID, 1.0) is not None


def test_a_word_about_punching_goes_to_the_socket_that_answered(relay: Router) -> None:
    punching = ("10.0.0.3", 3333)
    assert relay.holepunch(TARGET, word(peer=punching), CLIENT, TID, 0.0) is None
    relay.handshake(TARGET, hello(), CLIENT, TID, 0.0)
    relay.handshake(TARGET, hello(Mode.SERVER, peer_address=CLIENT), punching, TID, 0.0)
    passed = relay.holepunch(TARGET, word(peer=punching), CLIENT, b"66", 0.0)
    assert passed == Pass(word(Mode.RELAY, CLIENT), punching)
    answered = relay.holepunch(TARGET, word(Mode.SERVER, CLIENT), punching, b"66", 0.0)
    assert answered == Answer(word(Mode.REPLY, punching), to=CLIENT)


def test_a_word_about_punching_without_an_address_goes_to_who_announced(relay: Router) -> None:
    passed = relay.holepunch(TARGET, word(), CLIENT, TID, 0.0)
    assert passed == Pass(word(Mode.RELAY, CLIENT), SERVER)


def test_punching_reaches_a_server_only_through_a_relay(server: Router) -> None:
    assert server.holepunch(TARGET, word(Mode.RELAY), RELAY, TID, 0.0) is None
    asked = server.holepunch(TARGET, word(Mode.RELAY, CLIENT), RELAY, TID, 0.0)
    assert isinstance(asked, Serve)
    assert server.served(asked, b"said", RELAY) == Pass(
        Holepunch(Mode.SERVER, 0, b"said", CLIENT).encode(), RELAY
    )


def test_forwards_run_out_and_are_counted_by_host() -> None:
    router = Router()
    for number in range(FORWARDS_PER_HOST):
        assert router.set(number.to_bytes(32, "big"), ("10.0.0.3", number), b"", 0.0)
    assert not router.set(TARGET, SERVER, b"", 0.0)
    assert router.set(TARGET, RELAY, b"", 0.0)
    assert router.get(bytes(32), FORWARD_AGE + 1) is None
    assert router.set(UNKNOWN, SERVER, b"", 0.0)
    router.delete(UNKNOWN)
    router.delete(UNKNOWN)
    assert len(router) == FORWARDS_PER_HOST


def test_a_closed_server_is_asked_no_more(server: Router) -> None:
    server.stop_serving(TARGET)
    assert isinstance(server.handshake(TARGET, hello(), CLIENT, TID, 0.0), Answer)


def test_a_flood_leaves_a_bounded_trace(relay: Router) -> None:
    for number in range(MAX_CONVERSATIONS + 500):
        relay.handshake(TARGET, hello(), ("10.9.9.9", 1 + number), TID, 0.0)
    assert len(relay._asked) == MAX_CONVERSATIONS


@given(
    st.none() | st.just(TARGET) | st.just(UNKNOWN),
    st.none() | st.binary(max_size=80),
    st.booleans(),
)
def test_hostile_values_do_no_harm(target: bytes | None, data: bytes | None, serving: bool) -> None:
    router = Router()
    if serving:
        router.serve(TARGET, b"")
    for decide in (router.handshake, router.holepunch):
        decision = decide(target, data, CLIENT, TID, 0.0)
        assert decision is None or isinstance(decision, Answer | Pass | Serve)
        assert not isinstance(decision, Pass)
