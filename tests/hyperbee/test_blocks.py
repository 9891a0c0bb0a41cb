"""Blocks as bytes: vectors of the wire notes, and hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DecodeError
from holdfast.hyperbee.blocks import (
    Header,
    decode_header,
    decode_level,
    decode_record,
    encode_header,
    encode_record,
    index_keys,
)
from holdfast.hyperbee.node import TreeNode, varint

HEADER = "0a0868797065726265651200"
HEADER_WITH_FEED = "0a08687970657262656512220a20" + "01" * 32
NODE = "0a120a0b0a0301ac021204020003010a030a0104120c66696c6573002f612e7478741a027b7d"
DELETION = "0a120a0b0a0301ac021204020003010a030a010412016b"


def nodes() -> list[TreeNode]:
    kids = [TreeNode(2, 0), TreeNode(3, 1)]
    first, second = TreeNode(4, 0), TreeNode(4, 1)
    first.fill([1, 300], [None, None], kids)
    second.fill([4], [None], [])
    for node in (first, second):
        node.codes = [varint(n) for n in node.seqs]
    return [first, second]


def test_headers() -> None:
    assert encode_header(Header("hyperbee", True)).hex() == HEADER
    assert encode_header(Header("hyperbee", True, b"\x01" * 32)).hex() == HEADER_WITH_FEED
    assert decode_header(bytes.fromhex(HEADER)) == Header("hyperbee", True)
    assert decode_header(bytes.fromhex(HEADER_WITH_FEED)).content_feed == b"\x01" * 32
    assert decode_header(encode_header(Header("hyperbee"))) == Header("hyperbee")
    with_data = Header("hyperbee", True, None, b"mine")
    assert decode_header(encode_header(with_data)) == with_data


def test_records() -> None:
    assert encode_record(b"files\0/a.txt", b"{}", nodes()).hex() == NODE
    assert encode_record(b"k", None, nodes()).hex() == DELETION
    record = decode_record(bytes.fromhex(NODE))
    assert (record.key, record.value) == (b"files\0/a.txt", b"{}")
    assert decode_level(record.tree, 0) == ([1, 300], [2, 0, 3, 1])
    assert decode_level(record.tree, 1) == ([4], [])
    assert list(index_keys(record.tree)) == [1, 300, 4]
    assert decode_record(bytes.fromhex(DELETION)).value is None


def test_a_record_with_its_fields_in_another_order() -> None:
    record = decode_record(bytes.fromhex("1a0176" + "12016b" + "7801" + "0a00"))
    assert record == (b"k", b"v", b"")


def test_long_lengths() -> None:
    record = decode_record(encode_record(b"k" * 300, b"v" * 70000, nodes()))
    assert record.key == b"k" * 300 and record.value == b"v" * 70000


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x0a",
        b"\x0a\x00",
        b"\x12\x01k",
        b"\x0a\x05a",
        b"\x0a\x00\x12\x05k",
        b"\x0b\x00",
        b"\xff" * 20,
    ],
)
def test_blocks_that_are_no_records(block: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_record(block)


@pytest.mark.parametrize(
    "index", [b"", b"\x0a\x03\x0a\x01\xff", b"\x0a\x0c\x0a\x0a" + b"\xff" * 9 + b"\x01"]
)
def test_indexes_without_such_a_node(index: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_level(index, 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    for decode in (decode_record, decode_header, lambda index: decode_level(index, 0)):
        try:
            decode(data)
        except DecodeError:
            pass
