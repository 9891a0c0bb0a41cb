from __future__ import annotations

import pytest

from holdfast.errors import InvalidProof
from holdfast.hypercore.growth import Growth, NodeQueue
from holdfast.hypercore.manifest import Prologue
from holdfast.hypercore.messages import UpgradeData
from holdfast.hypercore.tree import Node, tree_hash
from tests.hypercore.trees import Writer, request


@pytest.fixture(scope="module")
def writer() -> Writer:
    writer = Writer(1)
    writer.append([bytes([i]) * (1 + i % 5) for i in range(20)])
    return writer


def part(writer: Writer, length: int) -> Growth:
    shorter = Writer(1)
    shorter.append(writer.blocks[:length])
    return Growth(shorter.roots, length)


@pytest.mark.parametrize("start", range(20))
def test_every_upgrade_leads_to_the_writers_roots(writer, start):
    for length in range(1, 21 - start):
        upgrade = writer.answer(request(upgrade=(start, length))).upgrade
        growth = part(writer, start)
        assert growth.upgrade(upgrade)
        assert (growth.roots, growth.length) == (writer.roots, 20)
        assert growth.byte_length == writer.byte_length
        assert all(writer.nodes[node.index] == node for node in growth.nodes)


@pytest.mark.parametrize("length", range(20))
def test_a_pushed_leaf_merges_what_it_completes(writer, length):
    growth = part(writer, length)
    last = growth.push(writer.nodes[2 * length])
    assert growth.roots[-1].index == last
    assert growth.roots == part(writer, length + 1).roots


def test_a_queue_gives_the_extra_node_where_it_is_asked_for():
    one, two = Node(2, 1, b"1"), Node(5, 2, b"2")
    queue = NodeQueue([one], two)
    assert queue.take(5) is two
    assert not queue.empty
    with pytest.raises(InvalidProof):
        queue.take(3)
    queue = NodeQueue([one], two)
    assert queue.take(2) is one
    assert queue.take(5) is two
    assert queue.empty
    with pytest.raises(InvalidProof):
        queue.take(8)


def test_nodes_that_continue_nothing_are_refused(writer):
    for nodes, additional in (
        ([], []),
        ([writer.nodes[3]], []),
        ([writer.nodes[9]], []),
        ([writer.nodes[7]], [writer.nodes[0]]),
        ([writer.nodes[7]], [writer.nodes[19], writer.nodes[19]]),
    ):
        with pytest.raises(InvalidProof):
            Growth((), 0).upgrade(UpgradeData(0, 8, nodes, additional, None))
    with pytest.raises(InvalidProof):
        Growth((), 0).upgrade(UpgradeData(0, 0, [], [writer.nodes[0]], None))
    with pytest.raises(InvalidProof):
        part(writer, 8).upgrade(UpgradeData(4, 1, [writer.nodes[23 - 16]], [], None))


def test_a_shorter_upgrade_changes_nothing(writer):
    growth = part(writer, 12)
    assert growth.upgrade(UpgradeData(0, 8, [], [], None))
    assert growth.nodes == []
    assert not growth.upgrade(UpgradeData(0, 8, [], [], None), writer.nodes[0])


def test_a_prologue_is_covered_whole_and_unchanged(writer):
    fixed = part(writer, 5)
    prologue = Prologue(tree_hash(fixed.roots), 5)
    whole = writer.answer(request(upgrade=(0, 5))).upgrade
    assert Growth((), 0).upgrade(whole, None, prologue)
    short = writer.answer(request(upgrade=(0, 4))).upgrade
    later = writer.answer(request(upgrade=(4, 4))).upgrade
    for growth, upgrade in ((Growth((), 0), short), (part(writer, 4), later)):
        with pytest.raises(InvalidProof):
            growth.upgrade(upgrade, None, prologue)
    with pytest.raises(InvalidProof):
        Growth((), 0).upgrade(whole, None, Prologue(bytes(32), 5))
