"""Trees that a hostile writer could make: every read ends, with an error or an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import DecodeError, HoldfastError
from holdfast.hyperbee import Bee, Header
from holdfast.hyperbee.blocks import encode_header, encode_record
from holdfast.hyperbee.node import LEAF, TreeNode, varint
from tests.support.memory_core import MemoryCore

Level = tuple[list[int], list[tuple[int, int]]]


def block(key: bytes, levels: list[Level]) -> bytes:
    nodes = []
    for seqs, kids in levels:
        node = TreeNode(0, 0)
        node.fill(seqs, [], [TreeNode(*kid) for kid in kids] if kids else LEAF)
        node.codes = [varint(n) for n in seqs]
        nodes.append(node)
    return encode_record(key, b"v", nodes)


async def bee_of(*blocks: bytes) -> Bee:
    core = MemoryCore()
    await core.append([encode_header(Header("hyperbee")), *blocks])
    return Bee(core)


async def drain(found: Any) -> int:
    count = 0
    async for _ in found:
        count += 1
        assert count < 10_000
    return count


CIRCLES = {
    "a node is its own child": [block(b"k", [([1], [(1, 0), (1, 0)])])],
    "two nodes are children of each other": [
        block(b"k", [([1], [(1, 1), (1, 1)]), ([1], [(1, 0), (1, 0)])])
    ],
    "a child in the future": [block(b"k", [([1], [(9, 0), (9, 0)])])],
    "a key in the future": [block(b"k", [([7], [])])],
    "the header as a key": [block(b"k", [([0], [])])],
    "too few children": [block(b"k", [([1], [(1, 1)]), ([1], [])])],
    "no such node": [block(b"k", [([1], [(1, 5), (1, 6)])])],
}


@pytest.mark.parametrize("case", CIRCLES)
async def test_impossible_trees_are_refused(case: str) -> None:
    bee = await bee_of(*CIRCLES[case])
    for read in (
        bee.get(b"a"),
        drain(bee.iterate()),
        drain(bee.iterate(reverse=True)),
        drain(bee.diff(1)),
    ):
        with pytest.raises(DecodeError):
            await read


async def test_a_tree_that_shows_the_same_branch_again_and_again() -> None:
    """Sixty nodes, each with the next one as both of its children: 2^60 leaves to believe in."""
    levels: list[Level] = [([1], [(1, i + 1), (1, i + 1)]) for i in range(60)]
    bee = await bee_of(block(b"k", [*levels, ([1], [])]))
    for read in (drain(bee.iterate()), drain(bee.iterate(reverse=True)), drain(bee.diff(1))):
        with pytest.raises(DecodeError):
            await read


async def test_nodes_without_keys_cannot_multiply() -> None:
    bee = await bee_of(block(b"k", [([], [(1, 0)])]))
    for read in (bee.get(b"a"), drain(bee.iterate()), drain(bee.diff(1))):
        with pytest.raises(DecodeError):
            await read


numbers = st.integers(0, 6)
level = st.tuples(st.lists(numbers, max_size=3), st.lists(st.tuples(numbers, numbers), max_size=4))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=2), st.lists(level, max_size=4)), min_size=1, max_size=6)
)
async def test_any_tree_is_read_or_refused(made: list[tuple[bytes, list[Level]]]) -> None:
    bee = await bee_of(*(block(key, levels) for key, levels in made))
    for read in (
        bee.get(b"a"),
        drain(bee.iterate()),
        drain(bee.iterate(gt=b"a", lte=b"b", reverse=True)),
        drain(bee.diff(2)),
        drain(bee.history()),
        bee.put(b"a", b"1"),
        bee.delete(b"b"),
    ):
        try:
            await read
        except HoldfastError:
            pass
