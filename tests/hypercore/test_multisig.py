from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DecodeError
from holdfast.hypercore.multisig import (
    MAX_PATCH_NODES,
    PartialSignature,
    assemble,
    inflate,
    inflate_v0,
)
from holdfast.hypercore.tree import Node
from tests.vectors.load import unhex

numbers = st.integers(0, 2**53 - 1)
parts = st.lists(
    st.builds(PartialSignature, numbers, st.binary(min_size=64, max_size=64), numbers), max_size=4
)
nodes = st.lists(st.builds(Node, numbers, numbers, st.binary(min_size=32, max_size=32)), max_size=4)


def test_one_signature_is_as_in_javascript():
    signature = unhex("tree", "signature")
    assert assemble([PartialSignature(0, signature)]) == unhex("tree", "multiSignature")


@given(parts, nodes)
def test_what_is_put_together_can_be_taken_apart(parts, nodes):
    assert inflate(assemble(parts, nodes)) == (parts, nodes)


@given(st.binary(max_size=300))
def test_any_bytes_are_signatures_or_refused(data):
    for take_apart in (inflate, inflate_v0):
        try:
            take_apart(data)
        except DecodeError:
            pass


def test_version_0_lists_the_nodes_of_each_patch():
    raw = bytes(range(64))
    plain = b"\0\3" + raw
    patched = b"\1\4" + raw + b"\7\2\3\0\1\2"
    signature = b"\2" + plain + patched + b"\0"
    assert inflate_v0(signature).parts == [PartialSignature(3, raw), PartialSignature(4, raw, 2)]


def test_more_nodes_than_any_patch_needs_are_refused():
    some = [Node(0, 0, bytes(32))] * (MAX_PATCH_NODES + 1)
    with pytest.raises(DecodeError):
        inflate(assemble([], some))
