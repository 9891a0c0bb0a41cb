"""What cannot or must not be answered; what is answered is compared with JavaScript elsewhere."""

from __future__ import annotations

import pytest

from holdfast.hypercore import messages as wire
from holdfast.hypercore.proof_create import block_proof, create_proof
from holdfast.hypercore.tree_view import InvalidRequest, MissingNode, missing_nodes
from tests.hypercore.trees import Reader, Writer, request


@pytest.fixture(scope="module")
def writer() -> Writer:
    writer = Writer(1)
    writer.append([bytes([i]) * 10 for i in range(11)])
    return writer


HUGE = 2**53 - 1


@pytest.mark.parametrize(
    "parts",
    [
        {"block": (11, 0)},
        {"block": (HUGE, 0)},
        {"block": (0, 4)},  # its ancestor there reaches beyond the end
        {"block": (0, HUGE)},
        {"hash": (22, 0)},
        {"hash": (HUGE, 0)},
        {"hash": (23, 0)},
        {"upgrade": (0, 12)},
        {"upgrade": (11, 1)},
        {"upgrade": (HUGE, HUGE)},
        {"upgrade": (3, 0)},
        {"block": (3, 0), "seek": (0, 0), "upgrade": (0, 11)},  # both inside the upgrade
        {"block": (9, 0), "upgrade": (2, 3)},  # the block lies beyond it
        {"hash": (3, 0), "seek": (95, 0), "upgrade": (3, 8)},
        {"block": (2, 0), "seek": (19, 0)},  # the byte lies before the block
        {"block": (2, 0), "seek": (30, 0)},
        {"block": (2, 1), "seek": (40, 0)},
    ],
    ids=str,
)
def test_requests_that_make_no_sense_are_refused(writer, parts):
    with pytest.raises(InvalidRequest) as error:
        writer.answer_bytes(request(**parts))
    assert not isinstance(error.value, MissingNode)


@pytest.mark.parametrize("block", [(11, 0), (0, 4), (0, HUGE), (10, 1), (HUGE, 2)])
def test_the_fast_way_refuses_the_same(writer, block):
    with pytest.raises(InvalidRequest):
        block_proof(writer, *block)
    with pytest.raises(InvalidRequest):
        writer.answer_bytes(request(block=block))


def test_the_fast_way_gives_the_same(writer):
    for index in range(11):
        for nodes in range(4):
            try:
                expected = create_proof(writer, block=wire.RequestBlock(index, nodes))
            except InvalidRequest:
                with pytest.raises(InvalidRequest):
                    block_proof(writer, index, nodes)
            else:
                assert block_proof(writer, index, nodes) == expected.block.nodes


def test_what_is_not_held_is_said_to_be_missing_not_wrong(writer):
    sparse = Reader()
    sparse.verify(writer.answer(request(upgrade=(0, 11))), writer.verifier)
    with pytest.raises(MissingNode):
        block_proof(sparse, 0, 1)
    for parts in ({"block": (0, 1)}, {"hash": (3, 0)}, {"upgrade": (3, 4)}):
        asked = request(**parts)
        with pytest.raises(MissingNode):
            create_proof(sparse, block=asked.block, hash=asked.hash, upgrade=asked.upgrade)


def test_an_empty_log_answers_with_nothing():
    asked = request(block=(0, 0), upgrade=(0, 1))
    empty = Writer(1)
    assert create_proof(empty, block=asked.block, upgrade=asked.upgrade) == wire.Data(0, 0)


def test_a_seek_on_its_own_proves_nothing(writer):
    assert writer.answer(request(seek=(5, 0))) == wire.Data(1, 0)


def test_a_seek_beyond_the_upgrade_is_left_out(writer):
    data = writer.answer(request(seek=(1000, 0), upgrade=(0, 11)))
    assert data.seek is None
    assert len(data.upgrade.nodes) == 3


def test_a_sparse_holder_proves_a_seek_as_far_as_it_knows(writer):
    sparse = Reader()
    sparse.verify(writer.answer(request(upgrade=(0, 11))), writer.verifier)
    for index in (0, 4):
        levels = missing_nodes(sparse, 2 * index)
        sparse.verify(writer.answer(request(block=(index, levels))), writer.verifier)
    asked = request(block=(0, 3), seek=(75, 0))
    proof = create_proof(sparse, block=asked.block, seek=asked.seek)
    assert [node.index for node in proof.seek.nodes] == [13, 9]
    assert [node.index for node in writer.answer(asked).seek.nodes] == [14, 12, 9]
    reader = Reader()
    reader.verify(writer.answer(request(upgrade=(0, 11))), writer.verifier)
    reader.verify(proof._replace(block=proof.block._replace(value=bytes([0]) * 10)), None)
    assert reader.nodes[13] == writer.nodes[13]
