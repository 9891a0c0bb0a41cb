"""Packets: byte for byte those of the JavaScript nodes; all else is a DecodeError."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.dht.ids import node_id, pack, unpack
from holdfast.dht.packet import (
    HEADER_BYTES,
    MAX_CLOSER,
    Frame,
    decode_reply,
    decode_request,
    encode_reply,
)
from holdfast.encoding import encode_uint
from holdfast.errors import DecodeError
from tests.vectors.load import VECTORS, unhex

ID = b"\xab" * 32
TARGET = unhex("dht", "announce", "target")

ids = st.binary(min_size=32, max_size=32) | st.none()
tids = st.binary(min_size=2, max_size=2)
addresses = st.binary(min_size=6, max_size=6)
values = st.binary(min_size=1, max_size=300) | st.none()


def test_a_node_id_is_the_hash_of_its_address() -> None:
    known = VECTORS["dht"]["peerId"]
    packed = pack((known["host"], known["port"]))
    assert node_id(packed) == bytes.fromhex(known["id"])
    assert unpack(packed) == (known["host"], known["port"])


def test_requests_are_those_of_the_peers() -> None:
    raw = unhex("dhtrpc", "request")
    packet = decode_request(raw)
    assert (packet.id, packet.token) == (ID, b"\xee" * 32)
    assert (packet.target, packet.value, packet.internal) == (TARGET, b"v", False)
    frame = Frame(
        packet.command, id32=packet.id, token=packet.token, target=packet.target, value=packet.value
    )
    assert frame.encode(packet.tid, packet.to_packed) == raw
    assert len(frame) == len(raw)


def test_replies_are_those_of_the_peers() -> None:
    raw = unhex("dhtrpc", "reply")
    packet = decode_reply(raw)
    assert (packet.id, packet.token) == (ID, unhex("dhtrpc", "token"))
    assert (packet.value, packet.error) == (b"v", 0)
    again = encode_reply(
        packet.tid,
        packet.to,
        id32=packet.id,
        token=packet.token,
        closer=packet.closer,
        error=packet.error,
        value=packet.value,
    )
    assert again == raw


@given(tids, addresses, ids, ids, st.booleans(), st.integers(0, 1 << 40), ids, values)
def test_requests_come_back_as_they_were(
    tid: bytes,
    to: bytes,
    id32: bytes | None,
    token: bytes | None,
    internal: bool,
    command: int,
    target: bytes | None,
    value: bytes | None,
) -> None:
    frame = Frame(
        command,
        internal=internal,
        id32=id32,
        token=token,
        target=target,
        value=value,
        least=65,
    )
    raw = frame.encode(tid, to)
    assert len(raw) >= 65
    packet = decode_request(raw)
    assert (packet.tid, packet.to_packed, packet.id, packet.token) == (tid, to, id32, token)
    assert (packet.internal, packet.command) == (internal, command)
    assert (packet.target, packet.value, packet.size) == (target, value, len(raw))


@given(tids, addresses, ids, ids, st.lists(addresses, max_size=20), st.integers(0, 500), values)
def test_replies_come_back_as_they_were(
    tid: bytes,
    to: bytes,
    id32: bytes | None,
    token: bytes | None,
    closer: list[bytes],
    error: int,
    value: bytes | None,
) -> None:
    joined = b"".join(closer)
    raw = encode_reply(tid, to, id32=id32, token=token, closer=joined, error=error, value=value)
    packet = decode_reply(raw)
    assert (packet.tid, packet.to, packet.id, packet.token) == (tid, to, id32, token)
    assert (packet.closer, packet.error, packet.value) == (joined, error, value)


@given(st.binary(max_size=200), st.integers(0, 255))
def test_anything_else_is_refused_in_one_way(data: bytes, flags: int) -> None:
    for raw in (data, data[:1] + bytes((flags,)) + data[2:]):
        for decode in (decode_request, decode_reply):
            try:
                decode(raw)
            except DecodeError:
                pass


@given(st.data())
def test_a_cut_packet_is_refused(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from([unhex("dhtrpc", "request"), unhex("dhtrpc", "reply")]))
    decode = decode_request if raw[0] == 3 else decode_reply
    with pytest.raises(DecodeError):
        decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


def test_a_count_costs_nothing_before_its_items_are_there() -> None:
    raw = b"\x13\x04" + bytes(HEADER_BYTES - 2) + encode_uint(1 << 40) + bytes(600)
    tracemalloc.start()
    with pytest.raises(DecodeError):
        decode_reply(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024


def test_only_so_many_closer_nodes_are_read() -> None:
    raw = encode_reply(b"\x00\x01", bytes(6), closer=bytes(range(6)) * 200, value=b"v")
    packet = decode_reply(raw)
    assert len(packet.closer) == 6 * MAX_CLOSER
    assert packet.value == b"v"
