from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import DecodeError, InvalidProof
from holdfast.hypercore import messages as wire
from holdfast.hypercore.proof_verify import StaleProof, verify_block, verify_proof
from holdfast.hypercore.tree import Node
from holdfast.hypercore.tree_view import InvalidRequest, byte_offset, missing_nodes
from tests.hypercore.trees import Reader, Writer, request


def writer_of(length: int) -> Writer:
    writer = Writer(1)
    writer.append([bytes([i & 255]) * (1 + i % 13) for i in range(length)])
    return writer


def reader_of(writer: Writer, length: int | None = None) -> Reader:
    reader = Reader()
    upgrade = (0, writer.length if length is None else length)
    reader.verify(writer.answer(request(upgrade=upgrade)), writer.verifier)
    return reader


@st.composite
def exchanges(draw):
    """A writer, a reader who knows a part of its log, and an answer to a request of the reader."""
    writer = writer_of(draw(st.integers(1, 40)))
    known = draw(st.integers(0, writer.length))
    earlier = writer_of(known)
    reader = reader_of(earlier) if known else Reader()
    for index in draw(st.lists(st.integers(0, max(known - 1, 0)), max_size=3)):
        if known:
            asked = request(block=(index, missing_nodes(reader, 2 * index)))
            reader.verify(earlier.answer(asked), writer.verifier)
    parts = {}
    if known < writer.length and (draw(st.booleans()) or known == 0):
        parts["upgrade"] = (known, draw(st.integers(1, writer.length - known)))
    end = sum(parts["upgrade"]) if parts else known
    kind = draw(st.sampled_from(["block", "hash", "seek", "hash and seek", "nothing"]))
    index = draw(st.integers(0, end - 1))
    levels = missing_nodes(reader, 2 * index) if index < known else 0
    if kind == "block":
        parts["block"] = (index, levels)
    elif kind.startswith("hash") or (kind == "seek" and not parts):
        parts["hash"] = (2 * index, levels)
    if "seek" in kind and (not parts.get("hash") or index < known):
        at = writer.nodes[2 * index]
        parts["seek"] = (byte_offset(writer, 2 * index) + draw(st.integers(0, at.size - 1)), 0)
    asked = request(**parts)
    try:
        encoded = writer.answer_bytes(asked)
    except InvalidRequest:
        encoded = writer.answer_bytes(request(upgrade=(0, writer.length)))
        reader = Reader()
    return writer, reader, encoded


def check_truth(writer: Writer, reader: Reader, data: wire.Data) -> None:
    """Everything the reader took is as the writer has it."""
    for index, node in reader.nodes.items():
        assert writer.nodes[index] == node
    assert reader.length <= writer.length
    assert reader.roots == [writer.nodes[root.index] for root in reader.roots]
    if data.block is not None:
        assert data.block.value == writer.blocks[data.block.index]


@given(exchanges())
def test_every_answer_is_accepted(exchange):
    writer, reader, encoded = exchange
    data = wire.decode_data(encoded)
    update = reader.verify(data, writer.verifier)
    check_truth(writer, reader, data)
    assert update.upgraded == (data.upgrade is not None)
    if data.upgrade is not None:
        assert reader.length == writer.length


@given(exchanges(), st.data())
@settings(max_examples=200)
def test_a_changed_byte_is_refused_or_changes_nothing_that_is_taken(exchange, data):
    writer, reader, encoded = exchange
    at = data.draw(st.integers(0, len(encoded) - 1))
    changed = bytearray(encoded)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        message = wire.decode_data(bytes(changed))
        reader.verify(message, writer.verifier)
    except (DecodeError, InvalidProof):
        return
    check_truth(writer, reader, message)


@given(st.integers(1, 40), st.data())
def test_the_fast_way_takes_and_refuses_the_same(length, data):
    writer = writer_of(length)
    reader = reader_of(writer)
    index = data.draw(st.integers(0, length - 1))
    answer = writer.answer(request(block=(index, missing_nodes(reader, 2 * index)))).block
    nodes = list(answer.nodes)
    if data.draw(st.booleans()) and nodes:
        wrong = data.draw(st.integers(0, len(nodes) - 1))
        index_of, size, digest = nodes[wrong]
        nodes[wrong] = data.draw(
            st.sampled_from(
                [
                    Node(index_of + 2, size, digest),
                    Node(index_of, size + 1, digest),
                    Node(index_of, size, bytes(32)),
                ]
            )
        )
    block = wire.BlockData(index, answer.value, nodes)
    message = wire.Data(1, 0, block)
    try:
        expected = verify_proof(reader, message, None)
    except InvalidProof:
        assert nodes != answer.nodes
        with pytest.raises(InvalidProof):
            verify_block(reader, index, block.value, nodes)
        return
    proven = verify_block(reader, index, block.value, nodes)
    assert proven[0] == writer.nodes[2 * index]
    old = reader.nodes
    assert old | {n.index: n for n in proven} == old | {n.index: n for n in expected.nodes}


def test_nodes_are_taken_only_in_their_order():
    writer = writer_of(8)
    reader = reader_of(writer)
    answer = writer.answer(request(block=(3, 3))).block
    for nodes in (answer.nodes[::-1], answer.nodes[:2], [*answer.nodes, answer.nodes[0]], []):
        with pytest.raises(InvalidProof):
            verify_block(reader, 3, answer.value, nodes)
        with pytest.raises(InvalidProof):
            verify_proof(reader, wire.Data(1, 0, answer._replace(nodes=nodes)), None)


def test_a_proof_for_another_fork_or_length_is_stale():
    writer = writer_of(9)
    reader = reader_of(writer, 9)
    with pytest.raises(StaleProof):
        verify_proof(reader, wire.Data(1, 1), writer.verifier)
    late = writer_of(12).answer(request(upgrade=(5, 7)))
    with pytest.raises(StaleProof):
        verify_proof(reader, late, writer.verifier)


def test_an_upgrade_that_somebody_else_already_gave_still_proves_its_block():
    writer = writer_of(9)
    earlier = Reader()
    earlier.verify(writer_of(5).answer(request(upgrade=(0, 5))), writer.verifier)
    answer = writer.answer(request(block=(1, missing_nodes(earlier, 2)), upgrade=(5, 4)))
    earlier.verify(writer.answer(request(upgrade=(5, 4))), writer.verifier)
    update = earlier.verify(answer, writer.verifier)
    assert not update.upgraded
    assert update.length == 9
    assert earlier.nodes[2] == writer.nodes[2]


def test_only_the_owner_can_sign_a_longer_head():
    writer = writer_of(9)
    forged = Writer(1)
    forged.append([b"other"] * 9)
    forged.signature = writer.signature
    with pytest.raises(InvalidProof):
        verify_proof(Reader(), forged.answer(request(upgrade=(0, 9))), writer.verifier)
    with pytest.raises(InvalidProof):
        verify_proof(Reader(), writer.answer(request(upgrade=(0, 9))), None)
    unsigned = writer.answer(request(upgrade=(0, 9)))
    unsigned = unsigned._replace(upgrade=unsigned.upgrade._replace(signature=None))
    with pytest.raises(InvalidProof):
        verify_proof(Reader(), unsigned, writer.verifier)


def test_more_nodes_than_an_upgrade_needs_are_refused():
    writer = writer_of(9)
    answer = writer.answer(request(upgrade=(0, 9)))
    extra = answer.upgrade._replace(nodes=[*answer.upgrade.nodes, writer.nodes[0]])
    with pytest.raises(InvalidProof):
        verify_proof(Reader(), answer._replace(upgrade=extra), writer.verifier)


def test_a_hash_that_is_not_held_proves_nothing():
    writer = writer_of(9)
    reader = reader_of(writer)
    with pytest.raises(InvalidProof):
        verify_proof(reader, writer.answer(request(hash=(4, 0))), None)


# -- sizes that add up but are wrong: a liar moves bytes between two siblings ---------------------


def shifted(data: wire.Data, by: int) -> wire.Data:
    first, second, *rest = data.hash.nodes
    nodes = [first._replace(size=first.size + by), second._replace(size=second.size - by), *rest]
    return data._replace(hash=data.hash._replace(nodes=nodes))


@pytest.mark.parametrize("index", range(0, 31, 2))
@pytest.mark.parametrize("told", [0, 4, 9, 16, 17, 30])
def test_shifted_sizes_are_put_right_by_the_first_block_below_them(told, index):
    writer = writer_of(16)
    reader = reader_of(writer)
    lie = shifted(writer.answer(request(hash=(told, missing_nodes(reader, told)))), 1)
    reader.verify(lie, None)
    assert reader.nodes[told] != writer.nodes[told]
    asked = request(block=(index // 2, missing_nodes(reader, index)))
    block = writer.answer(asked).block
    proven = verify_block(reader, block.index, block.value, block.nodes)
    general = verify_proof(reader, wire.Data(1, 0, block), None)
    assert {n.index: n for n in proven}.items() <= {n.index: n for n in general.nodes}.items()
    reader.nodes.update((node.index, node) for node in proven)
    assert byte_offset(reader, index) == byte_offset(writer, index)
    assert reader.nodes[index] == writer.nodes[index]


@pytest.mark.parametrize("told", [0, 2])
def test_a_shifted_size_never_replaces_a_true_one(told):
    writer = writer_of(16)
    reader = reader_of(writer)
    reader.verify(writer.answer(request(block=(0, 4))), None)
    reader.verify(shifted(writer.answer(request(hash=(told, 1))), 1), None)
    assert all(writer.nodes[index] == node for index, node in reader.nodes.items())


def test_a_size_is_fitted_to_the_sibling_that_is_held():
    writer = writer_of(16)
    reader = reader_of(writer)
    reader.verify(writer.answer(request(block=(0, 4))), None)
    del reader.nodes[2]
    reader.verify(shifted(writer.answer(request(hash=(2, 1))), 1), None)
    assert reader.nodes[2] == writer.nodes[2]
    del reader.nodes[0], reader.nodes[2]
    reader.nodes[0] = writer.nodes[0]
    reader.verify(shifted(writer.answer(request(hash=(0, 1))), 1), None)
    assert reader.nodes[2] == writer.nodes[2]


def test_a_wrong_size_is_put_right_even_where_its_sibling_is_lost():
    writer = writer_of(16)
    reader = reader_of(writer)
    reader.verify(shifted(writer.answer(request(hash=(0, 4))), 1), None)
    del reader.nodes[2]
    reader.verify(writer.answer(request(block=(0, 0))), None)
    assert reader.nodes[0] == writer.nodes[0]
    assert 2 not in reader.nodes


@pytest.mark.parametrize("together", [True, False])
def test_no_way_of_sending_a_held_node_again_changes_its_size(together):
    writer = writer_of(16)
    reader = reader_of(writer)
    for index in (0, 1, 2):
        levels = missing_nodes(reader, 2 * index)
        reader.verify(writer.answer(request(block=(index, levels))), None)
    zero, two = writer.nodes[0], writer.nodes[2]
    lies = [zero._replace(size=zero.size + 1), two._replace(size=two.size - 1)]
    if together:  # the seek's node stands in for the sibling
        parts = {"hash": wire.HashData(0, lies[:1]), "seek": wire.SeekData(1, lies[1:])}
        verify_and_compare(writer, reader, wire.Data(1, 0, **parts))
        return
    verify_and_compare(writer, reader, wire.Data(1, 0, hash=wire.HashData(0, lies[:1])))
    verify_and_compare(writer, reader, wire.Data(1, 0, seek=wire.SeekData(0, lies[:1])))
    verify_and_compare(writer, reader, wire.Data(1, 0, seek=wire.SeekData(0, lies)))


def verify_and_compare(writer: Writer, reader: Reader, data: wire.Data) -> None:
    reader.verify(data, None)
    assert all(writer.nodes[index] == node for index, node in reader.nodes.items())
