from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.hypercore import flat_tree

indices = st.integers(0, 2**53 - 1)
lengths = st.integers(0, 300)


def test_the_first_tree_by_hand():
    #        7
    #    3       11
    #  1   5   9    13
    # 0 2 4 6 8 10 12 14
    assert [flat_tree.parent(i) for i in range(15)] == [
        1, 3, 1, 7, 5, 3, 5, 15, 9, 11, 9, 7, 13, 11, 13
    ]  # fmt: skip
    assert [flat_tree.sibling(i) for i in range(15)] == [
        2, 5, 0, 11, 6, 1, 4, 23, 10, 13, 8, 3, 14, 9, 12
    ]  # fmt: skip
    assert [flat_tree.depth(i) for i in range(8)] == [0, 1, 0, 2, 0, 1, 0, 3]
    assert (flat_tree.left_span(11), flat_tree.right_span(11)) == (8, 14)
    assert flat_tree.full_roots(2 * 7) == [3, 9, 12]
    assert flat_tree.full_roots(0) == []


@given(indices)
def test_children_and_parents_agree(index):
    above = flat_tree.parent(index)
    beside = flat_tree.sibling(index)
    assert flat_tree.parent(beside) == above
    assert flat_tree.sibling(beside) == index
    assert sorted((index, beside)) == [flat_tree.left_child(above), flat_tree.right_child(above)]
    assert flat_tree.at(flat_tree.depth(index), flat_tree.offset(index)) == index
    assert flat_tree.contains(above, index) and not flat_tree.contains(index, above)
    leaves = (flat_tree.right_span(index) - flat_tree.left_span(index)) // 2 + 1
    assert flat_tree.count_leaves(index) == leaves


def test_a_leaf_is_its_own_child():
    assert flat_tree.left_child(4) == flat_tree.right_child(4) == 4


@given(lengths)
def test_full_roots_cover_every_leaf_once(length):
    covered = []
    for root in flat_tree.full_roots(2 * length):
        covered += range(flat_tree.left_span(root), flat_tree.right_span(root) + 1, 2)
    assert covered == list(range(0, 2 * length, 2))


@given(lengths, lengths)
def test_an_upgrade_path_and_the_old_roots_cover_the_new_tree(one, two):
    start, head = sorted((2 * one, 2 * two))
    path = flat_tree.upgrade_path(start, head)
    parts = flat_tree.full_roots(start) + path
    covered = sorted(
        leaf
        for index in parts
        for leaf in range(flat_tree.left_span(index), flat_tree.right_span(index) + 1, 2)
    )
    assert covered == list(range(0, head, 2))


def test_siblings_up_stop_below_the_root():
    assert flat_tree.siblings_up(0, 7) == [2, 5, 11]
    assert flat_tree.siblings_up(7, 7) == []
