"""What is stored: the bytes and signatures of the JavaScript nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import key_pair
from holdfast.dht.records import (
    NS_ANNOUNCE,
    NS_UNANNOUNCE,
    Announce,
    Mutable,
    MutablePut,
    Peer,
    decode_peers,
    encode_peers,
)
from holdfast.errors import DecodeError
from tests.vectors.load import VECTORS, unhex

OWNER = key_pair(unhex("keyPair", "seed"))
TARGET, TOKEN = unhex("dht", "announce", "target"), unhex("dht", "announce", "token")
NODE = unhex("dht", "announce", "nodeId")


def test_an_announcement_is_that_of_the_peers() -> None:
    raw = unhex("dht", "announce", "value")
    said = Announce.decode(raw)
    assert said.peer is not None
    assert said.peer == Peer(OWNER.public_key, (("10.0.0.1", 4000),))
    assert said.is_signed(NS_ANNOUNCE, TARGET, TOKEN, NODE)
    assert Announce(said.peer).sign(OWNER, NS_ANNOUNCE, TARGET, TOKEN, NODE).encode() == raw
    taken_back = Announce(Peer(OWNER.public_key)).sign(OWNER, NS_UNANNOUNCE, TARGET, TOKEN, NODE)
    assert taken_back.signature == unhex("dht", "unannounceSignature")


@pytest.mark.parametrize("part", range(4))
def test_a_signature_is_for_one_node_one_token_one_topic_and_one_purpose(part: int) -> None:
    said = Announce.decode(unhex("dht", "announce", "value"))
    arguments = [NS_ANNOUNCE, TARGET, TOKEN, NODE]
    arguments[part] = bytes(32)
    assert not said.is_signed(*arguments)


def test_a_mutable_record_is_that_of_the_peers() -> None:
    known = VECTORS["dht"]["mutable"]
    record = Mutable.make(OWNER, bytes.fromhex(known["value"]), known["seq"])
    assert record.signature == bytes.fromhex(known["signature"])
    put = MutablePut(OWNER.public_key, record)
    assert put.encode() == unhex("dht", "mutablePut")
    assert MutablePut.decode(put.encode()) == put
    assert record.is_signed_by(OWNER.public_key)
    assert not record._replace(seq=4).is_signed_by(OWNER.public_key)


def test_the_answer_to_a_lookup_is_that_of_the_peers() -> None:
    raw = unhex("dht", "lookupReply")
    peers = decode_peers(raw)
    assert peers == [Peer(OWNER.public_key, (("10.0.0.1", 4000),))]
    assert encode_peers([peer.encode() for peer in peers]) == raw


@given(st.binary(max_size=200))
def test_anything_else_is_refused_in_one_way(raw: bytes) -> None:
    for decode in (Announce.decode, MutablePut.decode, Mutable.decode, decode_peers, Peer.decode):
        try:
            decode(raw)
        except DecodeError:
            pass


keys = st.binary(min_size=32, max_size=32)
relays = st.lists(st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 65535)), max_size=3).map(
    tuple
)


@given(
    st.none() | st.builds(Peer, keys, relays),
    st.none() | keys,
    st.none() | st.binary(min_size=64, max_size=64),
    st.integers(0, 1 << 50),
)
def test_announcements_come_back_as_they_were(
    peer: Peer | None, refresh: bytes | None, signature: bytes | None, bump: int
) -> None:
    said = Announce(peer, refresh, signature, bump)
    assert Announce.decode(said.encode()) == said
