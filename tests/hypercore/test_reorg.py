"""Following a fork; the walk itself is compared with JavaScript elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidProof
from holdfast.hypercore import messages as wire
from holdfast.hypercore.proof_verify import StaleProof
from holdfast.hypercore.reorg import ReorgBatch
from holdfast.hypercore.tree_view import missing_nodes
from tests.hypercore.trees import Reader, Writer, request


def reader_of(writer: Writer, blocks=()) -> Reader:
    reader = Reader()
    reader.verify(writer.answer(request(upgrade=(0, writer.length))), writer.verifier)
    for index in blocks:
        asked = request(block=(index, missing_nodes(reader, 2 * index)))
        reader.verify(writer.answer(asked), writer.verifier)
    return reader


def forked(before: int, kept: int, after: int) -> tuple[Writer, Reader]:
    """A writer that cut and went on, and a reader who holds every block from before."""
    writer = Writer(1)
    writer.append([bytes([i]) * 10 for i in range(before)])
    reader = reader_of(writer, range(before))
    writer.truncate(kept)
    writer.append([bytes([200, i]) * 7 for i in range(after)])
    return writer, reader


def started(writer: Writer, reader: Reader) -> ReorgBatch:
    batch = ReorgBatch(reader, writer.verifier)
    batch.start(writer.answer(request(upgrade=(0, writer.length))))
    return batch


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 30), st.data())
def test_a_reader_with_everything_finds_the_cut(before, kept, after, data):
    kept = min(kept, before)
    if kept + after == 0:
        return
    writer, reader = forked(before, kept, after)
    batch = started(writer, reader)
    steps = 0
    while not batch.finished:
        held = data.draw(st.integers(0, writer.length - 1))
        asked = batch.next_request(lambda n, held=held: n if n >= held else held)
        asked = asked or batch.next_request()
        batch.apply(writer.answer(request(hash=asked)))
        steps += 1
        assert steps < 20
    assert batch.ancestors == kept
    reorg = batch.finish()
    assert reorg.ancestors == kept
    assert (reorg.fork, reorg.length, reorg.roots) == (1, writer.length, writer.roots)
    assert (reorg.byte_length, reorg.signature) == (writer.byte_length, writer.signature)
    reader.cut(kept)
    reader.nodes.update((node.index, node) for node in reorg.nodes)
    assert all(writer.nodes[index] == node for index, node in reader.nodes.items())
    assert all(root.index in reader.nodes for root in writer.roots)


def test_an_empty_reader_has_nothing_in_common():
    writer, _ = forked(5, 2, 3)
    batch = started(writer, Reader())
    assert batch.finished
    assert batch.ancestors == 0
    assert batch.next_request() is None


def test_a_fork_that_only_cuts_keeps_all_that_is_left():
    writer, reader = forked(8, 4, 0)
    batch = started(writer, reader)
    assert batch.finished
    assert batch.finish().ancestors == 4
    assert batch.finish().nodes == []


def test_a_peer_that_holds_nothing_there_is_not_asked():
    writer, reader = forked(40, 20, 20)
    batch = started(writer, reader)
    assert not batch.finished
    assert batch.next_request(lambda n: -1) is None
    assert batch.next_request(lambda n: max(n, 31)) == batch.next_request()


def test_a_head_that_is_not_newer_or_not_signed_is_refused():
    writer, reader = forked(8, 4, 3)
    batch = ReorgBatch(reader, writer.verifier)
    answer = writer.answer(request(upgrade=(0, 7)))
    with pytest.raises(StaleProof):
        batch.start(answer._replace(fork=0))
    with pytest.raises(InvalidProof):
        batch.start(answer._replace(fork=2))
    with pytest.raises(InvalidProof):
        batch.start(answer._replace(upgrade=None))
    with pytest.raises(InvalidProof):
        batch.start(answer._replace(hash=writer.answer(request(hash=(0, 0))).hash))
    with pytest.raises(ValueError, match="not known yet"):
        batch.finish()


def test_proofs_that_do_not_fit_are_refused():
    writer, reader = forked(40, 20, 20)
    batch = started(writer, reader)
    asked = batch.next_request()
    answer = writer.answer(request(hash=asked))
    first, *rest = answer.hash.nodes
    forged = answer._replace(hash=answer.hash._replace(nodes=[first._replace(size=1), *rest]))
    top = wire.HashData(31, [writer.nodes[31]])
    for useless in (forged, answer._replace(hash=top)):
        with pytest.raises(InvalidProof):
            batch.apply(useless)
    with pytest.raises(StaleProof):
        batch.apply(answer._replace(fork=7))
    with pytest.raises(StaleProof):
        batch.apply(writer.answer(request(hash=(0, 0))))
    with pytest.raises(StaleProof):
        batch.apply(writer.answer(request()))
    batch.apply(answer)
    while not batch.finished:
        batch.apply(writer.answer(request(hash=batch.next_request())))
    with pytest.raises(StaleProof):
        batch.apply(answer)


def test_shifted_sizes_do_not_spoil_blocks_that_are_kept():
    writer, reader = forked(40, 21, 20)
    batch = started(writer, reader)
    while not batch.finished:
        answer = writer.answer(request(hash=batch.next_request()))
        first, second, *rest = answer.hash.nodes
        nodes = [first._replace(size=first.size + 1), second._replace(size=second.size - 1), *rest]
        batch.apply(answer._replace(hash=answer.hash._replace(nodes=nodes)))
    assert batch.ancestors == 21
    for node in batch.finish().nodes:
        if node.index < 2 * 21 and node.index & 1 == 0:
            assert node == writer.nodes[node.index]


def test_equal_blocks_behind_the_cut_are_not_common_but_their_nodes_are_kept():
    writer = Writer(1)
    writer.append([bytes([i]) * 10 for i in range(16)])
    reader = reader_of(writer, range(16))
    writer.truncate(4)
    writer.append([b"other", *(bytes([i]) * 10 for i in range(5, 16))])
    batch = started(writer, reader)
    while not batch.finished:
        # ask for the last block first, whose path passes subtrees that are equal again
        batch.apply(writer.answer(request(hash=batch.next_request())))
    reorg = batch.finish()
    assert reorg.ancestors == 4
    assert all(writer.nodes[node.index] == node for node in reorg.nodes)
    assert writer.nodes[23] in reorg.nodes
    assert reader.nodes[23] == writer.nodes[23]
