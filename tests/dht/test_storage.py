"""What a node keeps for others: with a token and the owner's signature, bounded, for a while."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.crypto import KeyPair, blake2b, key_pair
from holdfast.dht import storage as limits
from holdfast.dht.commands import (
    ANNOUNCE,
    FIND_PEER,
    IMMUTABLE_GET,
    IMMUTABLE_PUT,
    INVALID_TOKEN,
    LOOKUP,
    MUTABLE_GET,
    MUTABLE_PUT,
    SEQ_REUSED,
    SEQ_TOO_LOW,
    TOO_LARGE,
    UNANNOUNCE,
    UNKNOWN_COMMAND,
)
from holdfast.dht.ids import node_id, pack
from holdfast.dht.packet import Frame, ReplyPacket, decode_reply
from holdfast.dht.records import (
    NS_ANNOUNCE,
    NS_UNANNOUNCE,
    Announce,
    Mutable,
    MutablePut,
    Peer,
    decode_peers,
)
from holdfast.encoding import encode_uint
from tests.dht.simnet import Addr, Host, SimNet, topic

OWNER = key_pair(b"\x01" * 32)
SOURCE = ("192.0.2.1", 1234)
RELAYS = (("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3), ("10.0.0.4", 4))


class Asker:
    """Somebody who asks one node, and whose address is proved."""

    def __init__(self, host: Host, source: Addr = SOURCE) -> None:
        self.host = host
        self.source = source
        host.node.answers.guard.prove(source[0], host.net.now)

    def ask(self, command: int, target: bytes | None, **options: Any) -> ReplyPacket | None:
        node, now = self.host.node, self.host.net.now
        frame = Frame(command, target=target, **options)
        node.receive(frame.encode(b"\x07\x00", pack(self.host.addr)), self.source, now)
        answers = [out for out in node.to_send(now) if out.addr == self.source]
        return decode_reply(answers[0].data) if answers else None

    def token(self, target: bytes) -> bytes:
        answer = self.ask(LOOKUP, target)
        assert answer is not None and answer.token is not None
        return answer.token

    def announce(
        self,
        target: bytes,
        owner: KeyPair = OWNER,
        *,
        space: bytes = NS_ANNOUNCE,
        command: int = ANNOUNCE,
        refresh: bytes | None = None,
    ) -> ReplyPacket | None:
        token = self.token(target)
        said = Announce(Peer(owner.public_key, RELAYS), refresh)
        said = said.sign(owner, space, target, token, self.host.node.table.id)
        return self.ask(command, target, token=token, value=said.encode())

    def peers(self, target: bytes) -> list[Peer]:
        answer = self.ask(LOOKUP, target)
        assert answer is not None
        return decode_peers(answer.value) if answer.value else []

    def put(self, owner: KeyPair, value: bytes, seq: int) -> int:
        target = blake2b(owner.public_key)
        put = MutablePut(owner.public_key, Mutable.make(owner, value, seq))
        answer = self.ask(MUTABLE_PUT, target, token=self.token(target), value=put.encode())
        assert answer is not None
        return answer.error


@pytest.fixture
def host() -> Host:
    return SimNet(1).host()


@pytest.fixture
def asker(host: Host) -> Asker:
    return Asker(host)


def test_an_announcement_is_found_with_three_addresses(asker: Asker) -> None:
    assert asker.announce(topic(1)) is not None
    assert asker.peers(topic(1)) == [Peer(OWNER.public_key, RELAYS[:3])]
    assert asker.peers(topic(2)) == []


def test_nothing_is_stored_without_a_token(asker: Asker) -> None:
    said = Announce(Peer(OWNER.public_key))
    said = said.sign(OWNER, NS_ANNOUNCE, topic(1), bytes(32), asker.host.node.table.id)
    assert asker.ask(ANNOUNCE, topic(1), value=said.encode()) is None
    answer = asker.ask(ANNOUNCE, topic(1), value=said.encode(), token=bytes(32))
    assert answer is not None and answer.error == INVALID_TOKEN
    assert answer.token is not None, "with which to try again"
    value = b"value"
    assert asker.ask(IMMUTABLE_PUT, blake2b(value), value=value) is None
    assert asker.host.storage.sizes["bytes"] == 0


def test_the_token_of_another_host_is_no_token(asker: Asker) -> None:
    token = Asker(asker.host, ("192.0.2.99", 1)).token(topic(1))
    answer = asker.ask(IMMUTABLE_PUT, blake2b(b"v"), value=b"v", token=token)
    assert answer is not None and answer.error == INVALID_TOKEN


def test_a_wrong_signature_is_not_kept(asker: Asker) -> None:
    assert asker.announce(topic(1), space=NS_UNANNOUNCE) is None
    token = asker.token(topic(1))
    stolen = Announce(Peer(OWNER.public_key)).sign(
        key_pair(b"\x02" * 32), NS_ANNOUNCE, topic(1), token, asker.host.node.table.id
    )
    assert asker.ask(ANNOUNCE, topic(1), token=token, value=stolen.encode()) is None
    assert asker.peers(topic(1)) == []


def test_only_its_owner_takes_an_announcement_back(asker: Asker) -> None:
    asker.announce(topic(1))
    assert asker.announce(topic(1), space=NS_ANNOUNCE, command=UNANNOUNCE) is None
    assert len(asker.peers(topic(1))) == 1
    assert asker.announce(topic(1), space=NS_UNANNOUNCE, command=UNANNOUNCE) is not None
    assert asker.peers(topic(1)) == []


def test_who_announces_itself_is_called_through_this_node(asker: Asker) -> None:
    target = blake2b(OWNER.public_key)
    assert asker.announce(target) is not None
    answer = asker.ask(FIND_PEER, target)
    assert answer is not None and answer.value is not None
    assert Peer.decode(answer.value)[0] == Peer(OWNER.public_key, RELAYS[:3])
    forward = asker.host.relaying.router.get(target, asker.host.net.now)
    assert forward is not None and forward.relay == SOURCE
    assert [peer.public_key for peer in asker.peers(target)] == [OWNER.public_key]
    asker.announce(target, space=NS_UNANNOUNCE, command=UNANNOUNCE)
    answer = asker.ask(FIND_PEER, target)
    assert answer is not None and answer.value is None


def test_announcements_end(asker: Asker) -> None:
    asker.announce(topic(1))
    asker.host.net.now += limits.RECORD_AGE - 1
    assert len(asker.peers(topic(1))) == 1
    asker.host.net.now += 2
    assert asker.peers(topic(1)) == []


def test_who_knows_the_secret_renews_without_a_signature(asker: Asker) -> None:
    first, second = blake2b(b"secret"), b"secret".ljust(32, b"\x00")
    asker.announce(topic(1), refresh=blake2b(second))
    asker.host.net.now += limits.RECORD_AGE - 1
    again = Announce(None, second).encode()
    token = asker.token(topic(1))
    assert asker.ask(ANNOUNCE, topic(1), token=token, value=again) is not None
    asker.host.net.now += limits.RECORD_AGE - 1
    assert len(asker.peers(topic(1))) == 1
    wrong = Announce(None, first).encode()
    assert asker.ask(ANNOUNCE, topic(1), token=asker.token(topic(1)), value=wrong) is None


def test_a_topic_shows_some_of_many(asker: Asker) -> None:
    owners = [key_pair(bytes([n]) * 32) for n in range(100)]
    for owner in owners:
        asker.announce(topic(1), owner)
    shown = {peer.public_key for _ in range(60) for peer in asker.peers(topic(1))}
    assert len(asker.peers(topic(1))) == limits.LOOKUP_PEERS
    assert shown == {owner.public_key for owner in owners}


def test_topics_sources_and_the_whole_are_bounded(asker: Asker) -> None:
    storage, now = asker.host.storage, asker.host.net.now
    for n in range(3 * limits.TOPIC_PEERS):
        key = blake2b(b"%d" % n)
        storage.keep_peer(topic(1), key, key + b"\x00", f"host {n}", now)
    assert storage.sizes["records"] == limits.TOPIC_PEERS
    for n in range(3 * limits.SHARE):
        storage.keep_peer(topic(n + 2), bytes(32), bytes(33), "flooder", now)
    assert storage.sizes["records"] == limits.TOPIC_PEERS + limits.SHARE
    for n in range(limits.MOST_RECORDS + 1000):
        storage.keep_peer(blake2b(b"%d" % n), bytes(32), bytes(33), f"bot {n >> 8}", now)
    assert storage.sizes["records"] <= limits.MOST_RECORDS
    assert len(storage._topics) <= limits.MOST_RECORDS


def test_values_are_bounded_in_bytes(asker: Asker) -> None:
    storage, now = asker.host.storage, asker.host.net.now
    for n in range(2 * limits.MOST_VALUE_BYTES // limits.MAX_STORED):
        storage.put_immutable(n.to_bytes(limits.MAX_STORED, "big"), f"bot {n >> 8}", now)
    assert storage.sizes["bytes"] <= limits.MOST_VALUE_BYTES
    assert storage.sizes["immutable"] <= limits.MOST_VALUES


def test_values_too_large_are_refused(asker: Asker) -> None:
    large = b"x" * (limits.MAX_STORED + 1)
    for command in (IMMUTABLE_PUT, MUTABLE_PUT):
        target = blake2b(large)
        answer = asker.ask(command, target, token=asker.token(target), value=large)
        assert answer is not None and answer.error == TOO_LARGE
    full = b"x" * limits.MAX_VALUE
    assert asker.put(OWNER, full, 1) == 0


def test_a_value_is_kept_under_its_hash_only(asker: Asker) -> None:
    target = blake2b(b"value")
    token = asker.token(target)
    assert asker.ask(IMMUTABLE_PUT, target, token=token, value=b"other") is None
    assert asker.ask(IMMUTABLE_PUT, target, token=token, value=b"value") is not None
    answer = asker.ask(IMMUTABLE_GET, target)
    assert answer is not None and answer.value == b"value"
    asker.host.net.now += limits.VALUE_AGE + 1
    answer = asker.ask(IMMUTABLE_GET, target)
    assert answer is not None and answer.value is None


def test_mutable_records_only_go_forward(asker: Asker) -> None:
    assert asker.put(OWNER, b"one", 1) == 0
    assert asker.put(OWNER, b"one", 1) == 0
    assert asker.put(OWNER, b"another", 1) == SEQ_REUSED
    assert asker.put(OWNER, b"zero", 0) == SEQ_TOO_LOW
    assert asker.put(OWNER, b"two", 2) == 0
    target = blake2b(OWNER.public_key)
    for wanted, found in ((0, b"two"), (2, b"two"), (3, None)):
        answer = asker.ask(MUTABLE_GET, target, value=encode_uint(wanted))
        assert answer is not None
        assert (Mutable.decode(answer.value).value if answer.value else None) == found


def test_a_mutable_record_is_its_owners(asker: Asker) -> None:
    other = key_pair(b"\x02" * 32)
    target = blake2b(OWNER.public_key)
    token = asker.token(target)
    forged = MutablePut(OWNER.public_key, Mutable.make(other, b"v", 9))
    assert asker.ask(MUTABLE_PUT, target, token=token, value=forged.encode()) is None
    elsewhere = MutablePut(other.public_key, Mutable.make(other, b"v", 9))
    assert asker.ask(MUTABLE_PUT, target, token=token, value=elsewhere.encode()) is None
    assert asker.host.storage.sizes["mutable"] == 0


@pytest.mark.parametrize("command", range(2, 10))
def test_nonsense_is_not_answered(asker: Asker, command: int) -> None:
    token = asker.token(topic(1))
    for value in (b"\xff", b"\x07", bytes(40), b"\x05" + bytes(500)):
        asker.ask(command, topic(1), token=token, value=value)
        asker.ask(command, None, token=token, value=value)
    assert asker.host.storage.sizes["records"] == 0


def test_who_does_not_stay_stores_nothing() -> None:
    host = SimNet(2).host(stays=False)
    asker = Asker(host)
    for command in range(2, 10):
        answer = asker.ask(command, topic(1))
        assert answer is not None
        assert (answer.error, answer.token) == (UNKNOWN_COMMAND, None)


def test_a_node_with_two_addresses_has_an_id_for_each() -> None:
    """Bound to every interface, it answers each asker under the address that this one uses."""
    host = SimNet(5).host(stays=False)
    host.node.reach.ephemeral = False
    asker = Asker(host)
    frame = Frame(LOOKUP, target=topic(1), id32=node_id(pack(SOURCE)))
    for mine in (("10.9.9.9", 49737), ("192.168.1.4", 49737)):
        host.node.receive(frame.encode(b"\x00\x01", pack(mine)), SOURCE, host.net.now)
        (answer,) = (out for out in host.node.to_send(host.net.now) if out.addr == SOURCE)
        packet = decode_reply(answer.data)
        assert packet.id == node_id(pack(mine))
        said = Announce(Peer(OWNER.public_key))
        said = said.sign(OWNER, NS_ANNOUNCE, topic(1), packet.token or b"", node_id(pack(mine)))
        told = Frame(ANNOUNCE, target=topic(1), token=packet.token, value=said.encode())
        host.node.receive(told.encode(b"\x00\x02", pack(mine)), SOURCE, host.net.now)
        assert len(host.node.to_send(host.net.now)) == 1
        assert len(asker.peers(topic(1))) == 1
        host.storage.forget_peer(topic(1), OWNER.public_key)
