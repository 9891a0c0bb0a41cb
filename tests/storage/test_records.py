"""Tree records and small checked files, and what one flipped bit does to them."""

from __future__ import annotations

import os
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding.bitfield import Bitfield
from holdfast.hypercore import flat_tree
from holdfast.hypercore.backend import BlockWrite, Change, Head, Leaf
from holdfast.hypercore.tree import Node
from holdfast.storage.entries import (
    ChangeEntry,
    CoreEntry,
    SettingEntry,
    decode_entry,
    encode_change,
    encode_core,
    encode_setting,
)
from holdfast.storage.flips import flips, mend_crc
from holdfast.storage.mark import Mark
from holdfast.storage.ranges import present_ranges, spans_beyond, straddling_nodes
from holdfast.storage.records import (
    log_seed,
    mend_record,
    pack_leaves,
    pack_nodes,
    unpack_leaf,
    unpack_node,
)
from holdfast.storage.slots import read_slot, write_slot
from holdfast.storage.twice import pack_twice, unpack_twice

NUMBERS = st.integers(0, 2**53 - 1)
HASHES = st.binary(min_size=32, max_size=32)
LEAVES = st.builds(Leaf, NUMBERS, NUMBERS, HASHES, st.integers(-1, 2**53 - 1))
NODES = st.builds(lambda i, s, h: Node(2 * i + 1, s, h), NUMBERS, NUMBERS, HASHES)
SEED = log_seed(b"d" * 32)


@given(LEAVES, NODES)
def test_records_are_read_back(leaf: Leaf, node: Node) -> None:
    _, (record,) = pack_leaves([leaf], SEED)
    assert unpack_leaf(leaf.index, record, SEED) == leaf
    assert unpack_leaf(leaf.index + 1, record, SEED) is None
    assert unpack_leaf(leaf.index, record, SEED + 1) is None
    _, (record,) = pack_nodes([node], SEED)
    assert unpack_node(node.index, record, SEED) == node
    assert unpack_node(node.index + 2, record, SEED) is None


def test_any_flipped_bit_of_a_record_is_noticed_and_put_right() -> None:
    leaf = Leaf(7, 100, os.urandom(32), 12345)
    _, (record,) = pack_leaves([leaf], SEED)
    for changed in flips(record):
        assert unpack_leaf(7, changed, SEED) is None
        assert mend_record(7, changed, SEED) == record
    node = Node(9, 100, os.urandom(32))
    _, (record,) = pack_nodes([node], SEED)
    for changed in flips(record):
        assert unpack_node(9, changed, SEED) is None
        assert mend_record(9, changed, SEED) == record


def test_two_flipped_bits_are_not_put_right_wrongly() -> None:
    _, (record,) = pack_leaves([Leaf(7, 100, bytes(range(32)), 12345)], SEED)
    for number, once in enumerate(flips(record)):
        twice = bytearray(once)
        twice[number * 7 % 50] ^= 1 << number % 5
        if twice != record:
            assert mend_record(7, bytes(twice), SEED) in (None, record)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_crc_tells_which_bit(content: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    changed = bytearray(content)
    changed[bit >> 3] ^= 1 << (bit & 7)
    assert mend_crc(bytes(changed), crc32(changed) ^ crc32(content)) == content


RANGES = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4)
RUNS = st.builds(
    BlockWrite, NUMBERS, NUMBERS, st.lists(st.binary(max_size=40), min_size=1, max_size=30)
)
CHANGES = st.builds(
    Change,
    head=st.none() | st.builds(Head, NUMBERS, NUMBERS, NUMBERS, st.binary(max_size=80)),
    leaves=st.lists(LEAVES, max_size=40, unique_by=lambda leaf: leaf.index),
    nodes=st.lists(NODES, max_size=40, unique_by=lambda node: node.index),
    blocks=st.lists(RUNS, max_size=3),
    present=RANGES,
    absent=RANGES,
    truncate=st.none() | NUMBERS,
    manifest=st.none() | st.binary(max_size=50),
)


def encode(change: Change, in_place: bool) -> bytes:
    inline = None if in_place else [b"".join(run.data) for run in change.blocks]
    leaves = pack_leaves(change.leaves, SEED)
    nodes = pack_nodes(change.nodes, SEED)
    return encode_change(3, change, *leaves, *nodes, inline)


@given(CHANGES, st.booleans())
def test_changes_are_read_back(change: Change, in_place: bool) -> None:
    entry = decode_entry(encode(change, in_place))
    assert isinstance(entry, ChangeEntry)
    assert (entry.core, entry.head, entry.truncate, entry.manifest) == (
        3,
        change.head,
        change.truncate,
        change.manifest,
    )
    assert (entry.present, entry.absent) == (change.present, change.absent)
    assert [unpack_leaf(i, r, SEED) for i, r in entry.leaves.items()] == change.leaves
    assert [unpack_node(i, r, SEED) for i, r in entry.nodes.items()] == change.nodes
    for run, written in zip(entry.runs, change.blocks, strict=True):
        assert (run.start, run.offset) == (written.start, written.offset)
        assert run.sizes == tuple(map(len, written.data))
        assert run.data == (None if in_place else b"".join(written.data))


@given(NUMBERS, HASHES, st.booleans(), st.text(max_size=30), st.none() | st.binary(max_size=30))
def test_small_entries_are_read_back(
    core: int, key: bytes, own: bool, name: str, value: bytes | None
) -> None:
    core &= 0xFFFFFFFF
    assert decode_entry(encode_core(core, key, own)) == CoreEntry(core, key, own)
    assert decode_entry(encode_setting(name, value)) == SettingEntry(name, value)


@given(st.binary(max_size=300) | st.builds(lambda b: b"\x01\x0f" + b, st.binary(max_size=300)))
def test_nonsense_is_a_value_error_and_no_more(body: bytes) -> None:
    try:
        decode_entry(body)
    except ValueError:
        pass


@given(CHANGES, st.data())
def test_a_cut_entry_is_a_value_error(change: Change, data: st.DataObject) -> None:
    body = encode(change, False)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(ValueError):
        decode_entry(body[:cut])


# -- slots, marks, files kept twice ----------------------------------------------------------------


def test_slots_alternate_and_either_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "leaves"
    path.write_bytes(b"")
    key = b"k" * 32
    with path.open("r+b") as file:
        fd = file.fileno()
        assert read_slot(fd) is None
        for number, epoch in enumerate((1, 3, 5, 8, 9)):
            head = Head(0, number, number, b"s" * number)
            write_slot(fd, epoch, key, head)
            slot = read_slot(fd)
            assert slot is not None
            assert (slot.epoch, slot.key, slot.head) == (epoch, key, head)
            # The write may be torn: the one before is there then.
            whole = os.pread(fd, 1024, 0)
            os.pwrite(fd, b"\xff" * 30, slot.position + 20)
            before = read_slot(fd)
            assert before is None if number == 0 else before is not None and before.epoch < epoch
            os.pwrite(fd, whole, 0)


def test_a_signature_too_long_for_a_slot_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "leaves"
    path.write_bytes(b"")
    with path.open("r+b") as file:
        for epoch in (1, 2):
            write_slot(file.fileno(), epoch, b"k" * 32, Head(0, 5, 6, bytes(5000)))
        slot = read_slot(file.fileno())
    assert path.stat().st_size <= 1024
    assert slot is not None and slot.head == Head(0, 5, 6, b"")


def test_a_mark_rises_and_survives_a_torn_write(tmp_path: Path) -> None:
    path = tmp_path / "synced"
    Mark.create(path)
    mark = Mark(path)
    assert mark.value == 0
    for value in (1, 5, 3, 9):
        mark.write(value)
    assert mark.value == 9
    mark.close()
    content = path.read_bytes()
    for position, value in ((0, 9), (512, 5)):
        path.write_bytes(content[:position] + b"\xff" * 10 + content[position + 10 :])
        again = Mark(path)
        assert again.value in (9, 5) and again.value >= value - 4
        again.close()


def test_either_copy_is_enough() -> None:
    data = pack_twice(b"MAGIC678", b"content")
    assert unpack_twice(b"MAGIC678", data) == b"content"
    for changed in flips(data):
        assert unpack_twice(b"MAGIC678", changed) == b"content"
    assert unpack_twice(b"OTHER678", data) is None
    assert unpack_twice(b"MAGIC678", bytes(len(data))) is None
    assert unpack_twice(b"MAGIC678", b"") is None


# -- ranges ----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 70_000), st.integers(1, 40_000)), max_size=5))
def test_present_ranges(ranges: list[tuple[int, int]]) -> None:
    bits = Bitfield()
    held: set[int] = set()
    for start, count in ranges:
        bits.set_range(start, count)
        held.update(range(start, start + count))
    found = present_ranges(bits)
    assert {i for start, count in found for i in range(start, start + count)} == held
    assert all(a[0] + a[1] < b[0] for a, b in zip(found, found[1:], strict=False))


@given(st.integers(0, 200), st.integers(1, 300))
def test_nodes_over_a_cut_are_found(length: int, end: int) -> None:
    nodes = [i for i in range(1, 2 * end, 2) if flat_tree.right_span(i) <= 2 * (end - 1)]
    gone = {i for i in nodes if spans_beyond(i, length)}
    found = set(straddling_nodes(length))
    assert {i for i in gone if i < 2 * length} <= found
    assert all(spans_beyond(i, length) and i < 2 * length for i in found)
