from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.net.swarm.mesh import Ring, place

TOPIC = b"t" * 32
keys = st.lists(st.binary(min_size=32, max_size=32), unique=True, min_size=1, max_size=30)


@given(keys)
def test_both_sides_agree_who_is_next_to_whom(everybody: list[bytes]) -> None:
    nearest = {}
    for own in everybody:
        ring = Ring(TOPIC, own)
        for other in everybody:
            if other != own:
                ring.add(other)
        nearest[own] = ring.neighbours()
    for own, near in nearest.items():
        assert len(near) == min(2, len(everybody) - 1)
        assert all(own in nearest[other] for other in near)


@given(keys)
def test_neighbours_are_the_nearest_in_the_order_of_places(everybody: list[bytes]) -> None:
    own, *others = everybody
    ring = Ring(TOPIC, own)
    for other in others:
        ring.add(other)
        ring.add(other)
    order = sorted(everybody, key=lambda key: place(TOPIC, key))
    index = order.index(own)
    expected = {order[index - 1], order[(index + 1) % len(order)]} - {own}
    assert ring.neighbours() == expected
    for other in others:
        ring.discard(other)
        ring.discard(other)
        was = ring.would_neighbour(other)
        ring.add(other)
        assert was == (other in ring.neighbours())
    assert len(ring) == len(others)
