"""What every store promises, asked of each of them."""

from __future__ import annotations

import pytest

from holdfast.crypto import discovery_key
from holdfast.errors import ClosedError, NotFoundError
from holdfast.hypercore.backend import BlockWrite, Change, Head, Leaf
from holdfast.hypercore.tree import append_leaves, leaf_hash
from holdfast.storage import Storage
from tests.storage.logs import KEY, Writer, check_log, read_block

BLOCKS = [bytes([i]) * (1 + 37 * i % 91) for i in range(50)]


def test_a_new_log_is_empty(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    assert backend.head is None
    assert backend.manifest is None
    assert backend.leaf(0) is None
    assert backend.node(1) is None
    assert backend.read(0, 10) == b""
    assert not backend.has(0)
    assert backend.present_ranges() == []
    assert any_store.cores() == []
    assert any_store.allocated(KEY) == 0
    assert any_store.key_of(discovery_key(KEY)) is None


def test_a_log_that_is_not_here_is_not_made_when_not_wanted(any_store: Storage) -> None:
    with pytest.raises(NotFoundError):
        any_store.core(KEY, create=False)


def test_one_key_one_backend(any_store: Storage) -> None:
    assert any_store.core(KEY) is any_store.core(KEY)


def test_blocks_leaves_nodes_and_head_are_read_back(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    writer = Writer(backend)
    for block in BLOCKS[:20]:
        writer.append(block)
    writer.append(*BLOCKS[20:])
    check_log(backend, BLOCKS)


def test_large_blocks_are_read_back(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    writer = Writer(backend)
    blocks = [bytes([i]) * 65536 for i in range(20)] + [b"", b"x" * 40000, b""]
    writer.append(*blocks[:16])
    writer.append(*[memoryview(block) for block in blocks[16:]])  # type: ignore[arg-type]
    check_log(backend, blocks)


def test_more_pieces_than_one_system_call_takes(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    blocks = [i.to_bytes(4, "big") * 10 for i in range(3000)]
    Writer(backend).append(*blocks)
    check_log(backend, blocks)


def test_tickets_grow_over_all_logs(any_store: Storage) -> None:
    first, second = Writer(any_store.core(KEY)), Writer(any_store.core(bytes(32)))
    tickets = [first.append(b"a"), second.append(b"b"), first.append(b"c")]
    assert tickets == sorted(set(tickets))


async def test_sync_covers_its_ticket(any_store: Storage) -> None:
    ticket = Writer(any_store.core(KEY)).append(b"a", durable=True)
    await any_store.sync(ticket)
    assert any_store.synced >= ticket
    await any_store.sync()


def test_sparse_writes_out_of_order(any_store: Storage) -> None:
    """As a reader gets them: first the leaves of far blocks, then blocks in any order."""
    backend = any_store.core(KEY)
    roots, leaves, nodes = append_leaves([], 0, BLOCKS)
    head = Head(0, len(BLOCKS), sum(map(len, BLOCKS)), b"s" * 64)
    backend.write(Change(head=head, nodes=nodes), durable=False)
    for index in (30, 7, 31, 8, 49):
        leaf = leaves[index]
        backend.write(
            Change(
                leaves=[leaf],
                blocks=[BlockWrite(index, leaf.offset, [BLOCKS[index]])],
                present=[(index, 1)],
            ),
            durable=False,
        )
    assert backend.present_ranges() == [(7, 2), (30, 2), (49, 1)]
    assert [read_block(backend, i) for i in (7, 8, 30, 31, 49)] == [
        BLOCKS[i] for i in (7, 8, 30, 31, 49)
    ]
    assert backend.leaf(9) is None
    assert all(backend.node(node.index) == node for node in nodes)


def test_a_leaf_may_come_before_its_offset_is_known(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    leaf = Leaf(5, 3, leaf_hash(b"abc"), -1)
    backend.write(Change(leaves=[leaf]), durable=False)
    assert backend.leaf(5) == leaf
    backend.write(Change(leaves=[leaf._replace(offset=0)]), durable=False)
    assert backend.leaf(5) == leaf._replace(offset=0)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 8, 13, 31, 32, 33, 49, 50])
def test_truncating_forgets_what_lies_beyond(any_store: Storage, length: int) -> None:
    backend = any_store.core(KEY)
    writer = Writer(backend)
    writer.append(*BLOCKS)
    writer.truncate(length)
    check_log(backend, BLOCKS[:length], fork=1)
    for node in append_leaves([], 0, BLOCKS)[2]:
        kept = {kept.index for kept in append_leaves([], 0, BLOCKS[:length])[2]}
        assert (backend.node(node.index) is not None) == (node.index in kept)
    other = [b"other" + block for block in BLOCKS]
    writer.append(*other)
    check_log(backend, BLOCKS[:length] + other, fork=1)


def test_truncating_and_writing_in_one_change(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    Writer(backend).append(*BLOCKS)
    shorter = Writer(backend)
    shorter.truncate(10)
    shorter.fork += 1
    change = shorter.change([b"n" * 50000, b"m"])
    change.truncate = 10
    backend.write(change, durable=True)
    check_log(backend, [*BLOCKS[:10], b"n" * 50000, b"m"], fork=2)


def test_truncating_without_a_head_leaves_none(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    Writer(backend).append(*BLOCKS)
    backend.write(Change(truncate=0), durable=True)
    assert backend.head is None
    assert backend.present_ranges() == []
    assert backend.leaf(0) is None


def test_cleared_blocks_are_absent_and_can_come_back(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    writer = Writer(backend)
    writer.append(*BLOCKS)
    backend.write(Change(absent=[(3, 5), (20, 1)]), durable=True)
    assert backend.present_ranges() == [(0, 3), (8, 12), (21, 29)]
    leaf = backend.leaf(4)
    assert leaf is not None
    backend.punch(leaf.offset, leaf.size)
    assert read_block(backend, 10) == BLOCKS[10]
    backend.write(
        Change(blocks=[BlockWrite(4, leaf.offset, [BLOCKS[4]])], present=[(4, 1)]), durable=False
    )
    assert read_block(backend, 4) == BLOCKS[4]
    assert backend.present_ranges() == [(0, 3), (4, 1), (8, 12), (21, 29)]


def test_punch_frees_space(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    Writer(backend).append(*[b"%d" % i * 65536 for i in range(8)])
    before = any_store.allocated(KEY)
    backend.write(Change(absent=[(2, 3)]), durable=True)
    freed = backend.punch(2 * 65536, 3 * 65536)
    assert freed == 3 * 65536
    assert any_store.allocated(KEY) < before - freed // 2


def test_the_manifest_is_kept(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    backend.write(Change(manifest=b"manifest"), durable=False)
    assert backend.manifest == b"manifest"
    assert [info.key for info in any_store.cores()] == [KEY]


def test_logs_are_listed(any_store: Storage) -> None:
    Writer(any_store.core(KEY, own=True)).append(b"abc", b"de")
    Writer(any_store.core(bytes(32))).append(b"x")
    any_store.core(b"k" * 32)
    infos = {info.key: info for info in any_store.cores()}
    assert set(infos) == {KEY, bytes(32)}
    info = infos[KEY]
    assert (info.discovery_key, info.fork, info.length) == (discovery_key(KEY), 0, 2)
    assert (info.byte_length, info.own, infos[bytes(32)].own) == (5, True, False)
    assert any_store.key_of(discovery_key(KEY)) == KEY


def test_settings(any_store: Storage) -> None:
    assert any_store.get_setting("name") is None
    any_store.set_setting("name", b"value")
    any_store.set_setting("name/2", b"")
    assert any_store.get_setting("name") == b"value"
    assert any_store.settings("name") == {"name": b"value", "name/2": b""}
    any_store.set_setting("name", None)
    assert any_store.get_setting("name") is None
    assert any_store.settings() == {"name/2": b""}


def test_secrets_are_no_settings(any_store: Storage) -> None:
    any_store.set_secret("name", b"hidden")
    assert any_store.get_secret("name") == b"hidden"
    assert any_store.get_setting("name") is None
    assert any_store.settings() == {}
    any_store.set_secret("name", None)
    assert any_store.get_secret("name") is None


def test_marks_only_rise(any_store: Storage) -> None:
    assert any_store.highwater(KEY) is None
    any_store.set_highwater(KEY, 0, 10)
    any_store.set_highwater(KEY, 0, 5)
    assert any_store.highwater(KEY) == (0, 10)
    any_store.set_highwater(KEY, 1, 2)
    assert any_store.highwater(KEY) == (1, 2)


async def test_nothing_works_after_close(any_store: Storage) -> None:
    backend = any_store.core(KEY)
    Writer(backend).append(b"a")
    await any_store.close()
    await any_store.close()
    for call in (
        lambda: any_store.core(KEY),
        lambda: any_store.cores(),
        lambda: any_store.set_setting("a", b""),
        lambda: backend.write(Change(manifest=b""), durable=False),
        lambda: backend.read(0, 1),
        lambda: backend.node(1),
    ):
        with pytest.raises(ClosedError):
            call()
