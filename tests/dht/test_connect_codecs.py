"""The messages of a connection through the DHT: golden bytes, round trips, and harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import key_pair
from holdfast.dht.handshake import NS_PEER_HANDSHAKE, PeerHandshake
from holdfast.dht.handshake_messages import Handshake, Holepunch, Mode
from holdfast.dht.ipv4 import decode_address, encode_address, is_private, is_usable, nearest
from holdfast.dht.nat import Firewall
from holdfast.dht.noise_payload import (
    HolepunchInfo,
    NoisePayload,
    Relay,
    RelayThrough,
    UdxInfo,
)
from holdfast.dht.secure_payload import PunchNote, SecurePayload
from holdfast.errors import DecodeError, HandshakeError
from tests.vectors.load import VECTORS, unhex

CLIENT, SERVER, STRANGER = (key_pair(bytes([n]) * 32) for n in (1, 2, 3))

addresses = st.tuples(st.ip_addresses(v=4).map(str), st.integers(min_value=0, max_value=65535)).map(
    lambda pair: (pair[0], pair[1])
)
uints = st.integers(0, 2**53 - 1)
keys = st.binary(min_size=32, max_size=32)
firewalls = st.sampled_from(list(Firewall))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


payloads = st.builds(
    NoisePayload,
    error=uints,
    firewall=firewalls,
    holepunch=maybe(
        st.builds(HolepunchInfo, uints, st.lists(st.builds(Relay, addresses, addresses)))
    ),
    addresses=st.lists(addresses),
    udx=maybe(st.builds(UdxInfo, uints, uints, st.booleans())),
    secret_stream=st.booleans(),
    relay_through=maybe(st.builds(RelayThrough, keys, keys)),
    relay_addresses=maybe(st.lists(addresses)),
)
notes = st.builds(
    PunchNote,
    error=uints,
    firewall=firewalls,
    round=uints,
    connected=st.booleans(),
    punching=st.booleans(),
    addresses=maybe(st.lists(addresses)),
    remote_address=maybe(addresses),
    token=maybe(keys),
    remote_token=maybe(keys),
)
handshakes = st.builds(Handshake, uints, st.binary(), maybe(addresses), maybe(addresses))
holepunches = st.builds(Holepunch, uints, uints, st.binary(), maybe(addresses))


@given(payloads)
def test_noise_payload_round_trip(payload: NoisePayload) -> None:
    assert NoisePayload.decode(payload.encode()) == payload


@given(notes)
def test_punch_note_round_trip(note: PunchNote) -> None:
    assert PunchNote.decode(note.encode()) == note


@given(handshakes)
def test_handshake_round_trip(message: Handshake) -> None:
    assert Handshake.decode(message.encode()) == message


@given(holepunches)
def test_holepunch_round_trip(message: Holepunch) -> None:
    assert Holepunch.decode(message.encode()) == message


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_or_read(data: bytes) -> None:
    for decode in (NoisePayload.decode, PunchNote.decode, Handshake.decode, Holepunch.decode):
        try:
            decode(data)
        except DecodeError:
            pass


@given(st.one_of(payloads, notes, handshakes, holepunches), st.data())
def test_cut_short_is_refused(message: Any, data: st.DataObject) -> None:
    whole = message.encode()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(DecodeError):
        type(message).decode(cut)


def test_golden_bytes() -> None:
    relay = ("10.0.0.1", 4000)
    assert Handshake(0, b"noise", None, relay).encode() == unhex("dht", "handshake")
    assert Holepunch(1, 2, b"xx", relay).encode() == unhex("dht", "holepunch")
    payload = NoisePayload.decode(unhex("noisePayload"))
    assert payload.addresses == [("127.0.0.1", 49737)]
    assert payload.firewall == Firewall.OPEN
    assert payload.encode() == unhex("noisePayload")
    note = PunchNote.decode(unhex("dht", "holepunchPayload"))
    assert note.punching and note.token == b"\x01" * 32
    assert note.encode() == unhex("dht", "holepunchPayload")


def test_golden_transcript() -> None:
    vector = VECTORS["noiseIK"]
    assert bytes.fromhex(vector["prologue"]) == NS_PEER_HANDSHAKE
    one, two, e1, e2 = (
        key_pair(bytes.fromhex(vector[f"{name}Seed"]))
        for name in (
            "initiatorStatic",
            "responderStatic",
            "initiatorEphemeral",
            "responderEphemeral",
        )
    )
    client = PeerHandshake(one, two.public_key, generate=lambda: e1)
    server = PeerHandshake(two, generate=lambda: e2)
    said = [NoisePayload.decode(bytes.fromhex(text)) for text in vector["payloads"]]
    first = client.write(said[0])
    assert first.hex() == vector["messages"][0]
    assert server.read(first) == said[0]
    assert server.remote_public_key == one.public_key
    second = server.write(said[1])
    assert second.hex() == vector["messages"][1]
    assert client.read(second) == said[1]
    assert client.result.handshake_hash.hex() == vector["hash"]
    assert client.result.tx == server.result.rx == bytes.fromhex(vector["initiatorTx"])
    assert client.holepunch_secret == server.holepunch_secret


def test_a_handshake_for_somebody_else_is_refused() -> None:
    client = PeerHandshake(CLIENT, SERVER.public_key)
    with pytest.raises(HandshakeError):
        PeerHandshake(STRANGER).read(client.write(NoisePayload()))


def test_nonsense_from_a_relay_spoils_nothing() -> None:
    client, server = PeerHandshake(CLIENT, SERVER.public_key), PeerHandshake(SERVER)
    server.read(client.write(NoisePayload()))
    answer = server.write(NoisePayload(error=7))
    for nonsense in (b"", b"x" * 48, answer[:-1] + bytes((answer[-1] ^ 1,))):
        with pytest.raises(HandshakeError):
            client.read(nonsense)
    assert client.read(answer).error == 7
    assert client.result.handshake_hash == server.result.handshake_hash


@pytest.mark.parametrize("size", [0, 1, 31, 32, 79, 95])
def test_a_handshake_cut_short_is_refused(size: int) -> None:
    client = PeerHandshake(CLIENT, SERVER.public_key)
    with pytest.raises(HandshakeError):
        PeerHandshake(SERVER).read(client.write(NoisePayload())[:size])


def test_of_another_version_only_the_number_is_read() -> None:
    assert NoisePayload.decode(b"\x02\xff\xff\xff").version == 2


def fixed(count: int) -> bytes:
    return bytes(range(count))


def test_secure_payload() -> None:
    one, two = SecurePayload(b"k" * 32, fixed), SecurePayload(b"k" * 32, lambda n: b"z" * n)
    note = PunchNote(round=3, punching=True)
    sealed = one.seal(note)
    assert two.open(sealed) == note
    with pytest.raises(DecodeError):
        SecurePayload(b"x" * 32, fixed).open(sealed)
    for size in range(len(sealed)):
        with pytest.raises(DecodeError):
            two.open(sealed[:size])
    assert one.token(("1.2.3.4", 5)) == one.token(("1.2.3.4", 6))
    assert one.token(("1.2.3.4", 5)) != two.token(("1.2.3.4", 5))


@given(addresses)
def test_addresses_round_trip(address: tuple[str, int]) -> None:
    assert decode_address(encode_address(address), 0) == (address, 6)


def test_addresses_that_cannot_be_sent_to() -> None:
    assert is_usable(("10.0.0.1", 1))
    assert not is_usable(("10.0.0.1", 0))
    assert not is_usable(("0.0.0.0", 5))
    assert not is_usable(("239.1.1.1", 5))
    with pytest.raises(ValueError):
        encode_address(("::1", 5))


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "127.0.0.1", "192.168.0.9", "172.31.0.1", "100.64.1.1"]
)
def test_private_hosts(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize(
    "host", ["11.1.2.3", "128.0.0.1", "192.169.0.9", "172.32.0.1", "100.128.1.1"]
)
def test_public_hosts(host: str) -> None:
    assert not is_private(host)


def test_the_nearest_of_their_addresses() -> None:
    ours = [("192.168.122.238", 1), ("10.0.0.5", 1)]
    near, far = ("192.168.122.1", 2), ("192.168.0.23", 2)
    assert nearest(ours, [far, near]) == near
    assert nearest(ours, [far]) == far
    assert nearest(ours, [("172.16.0.1", 2)]) is None
    assert nearest(ours, []) is None


def test_modes_as_on_the_wire() -> None:
    assert [mode.value for mode in Mode] == [0, 1, 2, 3, 4]
