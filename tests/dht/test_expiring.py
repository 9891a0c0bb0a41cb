"""The bounded memory, against a model that is simpler and slower."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.dht.expiring import Expiring

MOST, BYTES, SHARE, SECONDS = 8, 100, 4, 10.0

steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "remove", "wait"]),
        st.integers(0, 12),
        st.integers(1, 40),
        st.sampled_from("abc"),
    ),
    max_size=60,
)


@given(steps)
def test_every_bound_holds_after_every_step(steps: list[tuple[str, int, int, str]]) -> None:
    kept: Expiring[int] = Expiring(seconds=SECONDS, most=MOST, most_bytes=BYTES, most_of_one=SHARE)
    model: dict[int, tuple[int, str, float]] = {}
    now = 0.0
    for what, key, size, source in steps:
        if what == "put":
            kept.put(key, size, size, source, now)
            model.pop(key, None)
            model[key] = (size, source, now)
        elif what == "remove":
            kept.remove(key)
            model.pop(key, None)
        else:
            now += size / 4
        alive = {k for k in model if kept.get(k, now) is not None}
        for k in alive:
            size, _, born = model[k]
            assert kept.get(k, now) == size
            assert now < born + SECONDS
        assert len(kept) <= MOST
        assert kept.bytes <= BYTES
        for name in "abc":
            assert sum(model[k][1] == name for k in alive) <= SHARE
        if what == "put" and size <= BYTES:
            assert kept.get(key, now) is not None, "the newest is never the one that goes"


def test_a_flooder_pushes_out_its_own() -> None:
    kept: Expiring[str] = Expiring(seconds=9.0, most=100, most_bytes=1000, most_of_one=5)
    kept.put("honest", "v", 1, "a", 0.0)
    for n in range(1000):
        kept.put(n, "v", 1, "flooder", 0.0)
    assert "honest" in kept
    assert len(kept) == 6
