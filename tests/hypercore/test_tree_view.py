from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import SeekError
from holdfast.hypercore.flat_tree import contains, left_span
from holdfast.hypercore.tree_view import (
    MissingNode,
    byte_offset,
    local_seek,
    missing_nodes,
    seek_hash_request,
    seek_range,
    upgradeable,
)
from tests.hypercore.trees import Reader, Writer, request

blocks_of = st.lists(st.integers(0, 12), min_size=1, max_size=30).map(
    lambda sizes: [bytes(size) for size in sizes]
)


def writer_with(blocks) -> Writer:
    writer = Writer(1)
    writer.append(blocks)
    return writer


def reader_of(writer: Writer) -> Reader:
    reader = Reader()
    reader.verify(writer.answer(request(upgrade=(0, writer.length))), writer.verifier)
    return reader


@given(blocks_of)
def test_byte_offsets_are_sums_of_sizes(blocks):
    writer = writer_with(blocks)
    for index in writer.nodes:
        before = blocks[: left_span(index) // 2]
        assert byte_offset(writer, index) == sum(map(len, before))
    assert byte_offset(writer, 2 * len(blocks)) == writer.byte_length
    with pytest.raises(MissingNode):
        byte_offset(writer, 2 * len(blocks) + 2)


def test_a_byte_offset_needs_the_nodes_on_its_way():
    reader = reader_of(writer_with([b"block"] * 8))
    with pytest.raises(MissingNode):
        byte_offset(reader, 6)
    assert byte_offset(reader, 7) == byte_offset(reader, 0) == 0


@given(blocks_of, st.data())
def test_a_seek_in_a_full_tree_is_a_walk_over_the_blocks(blocks, data):
    padding = data.draw(st.sampled_from([0, min(map(len, blocks))]))
    writer = writer_with(blocks)
    sizes = [len(block) - padding for block in blocks]
    position = data.draw(st.integers(0, sum(sizes)))
    index, offset = local_seek(writer, position, padding)
    assert sum(sizes[:index]) + offset == position
    assert offset == 0 or offset < sizes[index]
    assert seek_range(writer, position, padding) is None
    assert seek_hash_request(writer, position, padding, lambda index: index) is None


def test_a_seek_beyond_the_end_is_an_error():
    writer = writer_with([b"block"] * 3)
    assert local_seek(writer, 15) == (3, 0)
    for position in (16, -1):
        with pytest.raises(SeekError):
            local_seek(writer, position)
    assert seek_range(writer, 16) is None
    assert local_seek(Writer(1), 0) == (0, 0)
    with pytest.raises(SeekError):
        local_seek(Writer(1), 1)


@given(blocks_of, st.data())
def test_a_seek_is_resolved_by_a_few_hash_requests(blocks, data):
    writer = writer_with(blocks)
    reader = reader_of(writer)
    position = data.draw(st.integers(0, writer.byte_length))
    with_seek = data.draw(st.booleans())
    held = sorted(data.draw(st.sets(st.integers(0, len(blocks) - 1), min_size=1)))

    def next_held(start: int) -> int:
        return next((index for index in held if index >= start), -1)

    for _ in range(8):
        if local_seek(reader, position) is not None:
            break
        asked = seek_hash_request(reader, position, 0, next_held)
        if asked is None:
            start, end, _ = seek_range(reader, position)
            assert not any(start <= index < end for index in held)
            return
        assert asked.index // 2 in held
        seek = (position, 0) if with_seek else 0
        reader.verify(writer.answer(request(hash=asked, seek=seek)), writer.verifier)
    assert local_seek(reader, position) == local_seek(writer, position)


@given(blocks_of, st.data())
def test_missing_nodes_lead_to_the_nearest_known_one(blocks, data):
    writer = writer_with(blocks)
    reader = reader_of(writer)
    for _ in range(3):
        index = data.draw(st.integers(0, len(blocks) - 1))
        levels = missing_nodes(reader, 2 * index)
        at, climbed = 2 * index, 0
        while at not in reader.nodes:
            at = next(i for i in sorted(writer.nodes) if i != at and is_parent(i, at))
            climbed += 1
        assert levels == climbed
        reader.verify(writer.answer(request(block=(index, levels))), writer.verifier)
        assert missing_nodes(reader, 2 * index) == 0


def is_parent(index: int, other: int) -> bool:
    width = (index + 1) & ~index
    return contains(index, other) and other in (index - width // 2, index + width // 2)


def test_nothing_is_known_beyond_the_end():
    assert missing_nodes(reader_of(writer_with([b"block"] * 3)), 6) == 0
    assert missing_nodes(Reader(), 0) == 0


def test_a_peer_can_be_upgraded_from_lengths_whose_roots_are_here():
    writer = writer_with([b"block"] * 7)
    assert all(upgradeable(writer, length) for length in range(8))
    reader = reader_of(writer)
    assert [upgradeable(reader, length) for length in range(8)] == [
        True, False, False, False, True, False, True, True
    ]  # fmt: skip
