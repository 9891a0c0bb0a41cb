from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.hypercore.backend import Leaf
from holdfast.hypercore.flat_tree import full_roots
from holdfast.hypercore.tree import (
    Node,
    append_leaves,
    leaf_hash,
    leaf_node,
    parent_node,
    tree_hash,
)
from tests.vectors.load import VECTORS

GOLDEN = VECTORS["tree"]


def golden(node):
    return Node(node["index"], node["size"], bytes.fromhex(node["hash"]))


def test_hashes_are_those_of_javascript():
    blocks = [bytes.fromhex(block) for block in GOLDEN["blocks"]]
    leaves = [golden(node) for node in GOLDEN["leaves"]]
    parent = golden(GOLDEN["parent"])
    assert [leaf_node(i, block) for i, block in enumerate(blocks)] == leaves
    assert parent_node(*leaves[:2]) == parent
    assert tree_hash([parent, leaves[2]]).hex() == GOLDEN["hashOfRoots"]
    roots, appended, parents = append_leaves([], 0, blocks)
    assert roots == [parent, leaves[2]]
    assert parents == [parent]
    assert appended == [Leaf(0, 1, leaves[0].hash, 0), Leaf(1, 2, leaves[1].hash, 1),
                        Leaf(2, 3, leaves[2].hash, 3)]  # fmt: skip


@given(st.lists(st.binary(max_size=9), max_size=40), st.integers(0, 40))
def test_appending_in_parts_is_appending_at_once(blocks, cut):
    first, rest = blocks[:cut], blocks[cut:]
    before, leaves, parents = append_leaves([], 0, first)
    untouched = list(before)
    roots, more_leaves, more_parents = append_leaves(before, len(first), rest)
    assert before == untouched
    assert (roots, leaves + more_leaves, parents + more_parents) == append_leaves([], 0, blocks)
    assert [root.index for root in roots] == full_roots(2 * len(blocks))
    assert sum(root.size for root in roots) == sum(map(len, blocks))


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=40))
def test_every_parent_is_that_of_its_children(blocks):
    _, leaves, parents = append_leaves([], 0, blocks)
    nodes = {2 * leaf.index: Node(2 * leaf.index, leaf.size, leaf.hash) for leaf in leaves}
    nodes.update((node.index, node) for node in parents)
    for node in parents:
        half = ((node.index + 1) & ~node.index) >> 1
        assert node == parent_node(nodes[node.index - half], nodes[node.index + half])


def test_large_blocks_and_views_hash_the_same():
    for size in (0, 1, 4095, 4096, 70_000):
        data = bytes(size)
        assert leaf_hash(data) == leaf_hash(memoryview(data)) == leaf_hash(bytearray(data))
        roots, leaves, _ = append_leaves([], 0, [memoryview(data)])
        assert roots == [leaf_node(0, data)]
        assert leaves[0].hash == leaf_hash(data)
