from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding.varint import encode_uint
from holdfast.errors import DecodeError
from holdfast.hypercore import messages as wire
from holdfast.hypercore.tree import Node
from tests.vectors.load import VECTORS, unhex


def encode_data(data):
    return b"".join(wire.encode_data(data.request, data.fork, data))


CODECS = {
    "handshake": (wire.encode_handshake, wire.decode_handshake),
    "sync": (wire.encode_sync, wire.decode_sync),
    "request": (wire.encode_request, wire.decode_request),
    "cancel": (wire.encode_cancel, wire.decode_cancel),
    "data": (encode_data, wire.decode_data),
    "noData": (lambda answer: wire.encode_no_data(*answer), wire.decode_no_data),
    "want": (wire.encode_want, wire.decode_want),
    "range": (wire.encode_range, wire.decode_range),
    "rangeDrop": (wire.encode_range, wire.decode_range),
    "bitfield": (wire.encode_bitfield, wire.decode_bitfield),
    "extension": (wire.encode_extension, wire.decode_extension),
}

GOLDEN = {
    "sync": wire.Sync(0, 300, 0, True, True, True, True, False),
    "request": wire.Request(
        1,
        0,
        block=wire.RequestBlock(70000, 2),
        seek=wire.RequestSeek(12, 8),
        upgrade=wire.RequestUpgrade(0, 300),
        manifest=True,
        priority=1,
    ),
    "cancel": 253,
    "noData": wire.NoData(5, wire.NOT_AVAILABLE),
    "want": wire.Want(0, 1 << 21),
    "range": wire.Range(False, 5, 1),
    "rangeDrop": wire.Range(True, 5, 300),
    "bitfield": wire.BitfieldMessage(0, bytes.fromhex("0100000000000080")),
    "extension": wire.Extension("hyperbee", b"\1\2"),
}


def test_every_message_of_the_vectors_has_a_codec():
    assert CODECS.keys() == VECTORS["wire"].keys()


@pytest.mark.parametrize("name", CODECS)
def test_bytes_are_those_of_javascript(name):
    encode, decode = CODECS[name]
    golden = unhex("wire", name)
    message = decode(memoryview(golden))
    assert encode(message) == golden
    assert GOLDEN.get(name, message) == message


@pytest.mark.parametrize("name", CODECS)
def test_bytes_after_the_end_are_ignored_where_peers_may_add_fields(name):
    if name in ("data", "extension", "want", "noData"):
        return  # these end in raw bytes or optional flags
    _, decode = CODECS[name]
    golden = unhex("wire", name)
    assert decode(golden + b"\7\7\7") == decode(golden)


numbers = st.one_of(
    st.integers(0, 2**53 - 1), st.sampled_from([0, 1, 252, 253, 0xFFFF, 0x10000, 2**32 - 1, 2**32])
)
nodes = st.builds(Node, numbers, numbers, st.binary(min_size=32, max_size=32))
node_lists = st.lists(nodes, max_size=4)
optional_bytes = st.none() | st.binary(min_size=1, max_size=100)

messages = {
    "sync": st.builds(wire.Sync, numbers, numbers, numbers, *[st.booleans()] * 5),
    "request": st.builds(
        wire.Request,
        numbers,
        numbers,
        st.none() | st.builds(wire.RequestBlock, numbers, numbers),
        st.none() | st.builds(wire.RequestHash, numbers, numbers),
        st.none() | st.builds(wire.RequestSeek, numbers, numbers),
        st.none() | st.builds(wire.RequestUpgrade, numbers, numbers),
        st.booleans(),
        numbers,
    ),
    "cancel": numbers,
    "data": st.builds(
        wire.Data,
        numbers,
        numbers,
        st.none() | st.builds(wire.BlockData, numbers, st.binary(max_size=400), node_lists),
        st.none() | st.builds(wire.HashData, numbers, node_lists),
        st.none() | st.builds(wire.SeekData, numbers, node_lists),
        st.none()
        | st.builds(wire.UpgradeData, numbers, numbers, node_lists, node_lists, optional_bytes),
        optional_bytes,
    ),
    "noData": st.builds(wire.NoData, numbers, numbers),
    "want": st.builds(wire.Want, numbers, numbers, st.booleans()),
    "range": st.builds(wire.Range, st.booleans(), numbers, numbers),
    "bitfield": st.builds(
        wire.BitfieldMessage, numbers, st.binary(max_size=100).map(lambda b: b[: len(b) & ~3])
    ),
    "extension": st.builds(wire.Extension, st.text(max_size=40), st.binary(max_size=50)),
}


@pytest.mark.parametrize("name", messages)
@given(data=st.data())
def test_what_is_written_is_read(name, data):
    encode, decode = CODECS[name]
    message = data.draw(messages[name])
    assert decode(memoryview(encode(message))) == message


@pytest.mark.parametrize("name", messages)
@given(data=st.data())
def test_a_message_cut_short_is_refused_or_a_shorter_one(name, data):
    encode, decode = CODECS[name]
    encoded = encode(data.draw(messages[name]))
    cut = encoded[: data.draw(st.integers(0, len(encoded)))]
    try:
        decode(memoryview(cut))
    except DecodeError:
        return
    if name not in ("data", "extension", "want", "noData"):
        assert cut == encoded


@pytest.mark.parametrize("name", CODECS)
@given(body=st.binary(max_size=120))
def test_any_bytes_are_a_message_or_refused(name, body):
    try:
        CODECS[name][1](memoryview(body))
    except DecodeError:
        pass


def test_block_request_and_block_data_are_the_general_ones():
    for priority in (0, 3):
        request = wire.Request(300, 1, wire.RequestBlock(70000, 3), priority=priority)
        assert wire.encode_block_request(300, 1, 70000, 3, priority) == wire.encode_request(request)
    some = [Node(4, 300, bytes(32))]
    data = wire.Data(300, 1, wire.BlockData(70000, b"block", some))
    assert b"".join(wire.encode_block_data(300, 1, 70000, b"block", some)) == encode_data(data)


def test_blocks_are_not_copied():
    block = bytearray(65536)
    buffers = wire.encode_block_data(1, 0, 5, memoryview(block), [])
    assert buffers[1].obj is block
    proof = wire.Data(0, 0, wire.BlockData(5, b"", []))
    buffers = wire.encode_data(1, 0, proof, memoryview(block))
    assert buffers[1].obj is block
    body = b"".join(buffers)
    value = wire.decode_data(memoryview(body)).block.value
    assert value.obj is body
    assert value == block


def test_the_value_and_manifest_given_stand_in_for_those_of_the_proof():
    proof = wire.Data(0, 9, wire.BlockData(5, b"", []))
    encoded = b"".join(wire.encode_data(7, 2, proof, b"block", b"manifest"))
    assert wire.decode_data(encoded) == wire.Data(
        7, 2, wire.BlockData(5, b"block", []), manifest=b"manifest"
    )


def test_older_peers_leave_flags_out():
    assert wire.decode_want(b"\5\6") == wire.Want(5, 6, False)
    assert wire.decode_want(b"\5\6\1") == wire.Want(5, 6, True)
    assert wire.decode_no_data(b"\5") == wire.NoData(5, 0)
    assert wire.decode_no_data(b"\5\1\2") == wire.NoData(5, wire.INVALID_REQUEST)


def test_bits_are_padded_to_whole_words():
    assert wire.encode_bitfield(wire.BitfieldMessage(64, b"\1")) == b"\x40\1\1\0\0\0"


def test_counts_are_checked_before_anything_is_read():
    huge = b"\xff" + b"\xff" * 6 + b"\x1f\0"
    for body in (
        b"\1\1\0\0\0" + huge,  # nodes
        b"\1\1\0\0" + huge,  # block bytes
        b"\1\1\0\0\0" + encode_uint(wire.MAX_NODES + 1) + bytes(34 * (wire.MAX_NODES + 1)),
        b"\1\1\0\0\0\2" + bytes(67),
        b"\1\1\0\0\0\2" + b"\xfd" + bytes(67),
    ):
        with pytest.raises(DecodeError):
            wire.decode_data(body)
    with pytest.raises(DecodeError):
        wire.decode_bitfield(b"\0" + huge)
    with pytest.raises(DecodeError):
        wire.decode_extension(encode_uint(wire.MAX_EXTENSION_NAME + 1) + b"x" * 300)
    with pytest.raises(DecodeError):
        wire.decode_extension(b"\1\xff")


def test_numbers_no_peer_can_hold_are_refused():
    large = b"\xff" + (2**53).to_bytes(8, "little")
    for body in (b"\1\1\0\0" + large, b"\1\1\0" + large + b"\0", b"\1" + large + b"\0\0\0"):
        with pytest.raises(DecodeError):
            wire.decode_request(body)
    for index, size in ((large, b"\0"), (b"\0", large)):
        with pytest.raises(DecodeError):
            wire.decode_nodes(b"\1" + index + size + bytes(32), 0)
