"""Two sides doing anything in any order: they must end up agreeing, with nothing left over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.wire.muxes import Recorder, Side, settle

ANSWERS = {"a": "open", "b": "refuse", "c": "later", "d": "open"}
KEYS = st.tuples(st.sampled_from("abcd"), st.sampled_from([b"", b"1"]))

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.booleans(), KEYS),
        st.tuples(st.just("send"), st.booleans(), st.integers(0, 9)),
        st.tuples(st.just("close"), st.booleans(), st.integers(0, 9)),
        st.tuples(st.just("deliver"), st.booleans(), st.integers(1, 3)),
        st.tuples(st.just("answer"), st.booleans(), KEYS),
    ),
    max_size=40,
)


def _step(side: Side, other: Side, step: tuple[str, bool, object], count: int) -> None:
    what, _, argument = step
    if what == "deliver":
        side.flush()
        assert isinstance(argument, int)
        for _ in range(min(argument, len(side.wire))):
            other.mux.receive(side.wire.popleft())
    elif what in ("open", "answer"):
        assert isinstance(argument, tuple)
        if what == "open" or side.mux.waiting(*argument):
            side.channel(*argument).open(b"%d" % count)
    elif side.made:
        assert isinstance(argument, int)
        recorder = side.made[argument % len(side.made)]
        if what == "send":
            recorder.send(count % 3, b"%d" % count)
        else:
            recorder.channel.close()


def _pairs(one: Side, two: Side) -> list[tuple[Recorder, Recorder]]:
    """Who talks to whom at the end."""
    theirs = {r.channel.local_id: r for r in two.made if r.channel.opened}
    return [(r, theirs.pop(r.channel.remote_id)) for r in one.made if r.channel.opened]


@given(STEPS)
def test_any_interleaving(steps: list[tuple[str, bool, object]]) -> None:
    sides = Side(ANSWERS), Side(ANSWERS)
    for count, step in enumerate(steps):
        _step(sides[step[1]], sides[not step[1]], step, count)
    settle(*sides)
    for protocol in "abcd":
        for id in (b"", b"1"):
            for side in sides:
                side.mux.reject(protocol, id)
    settle(*sides)
    pairs = _pairs(*sides)
    for a, b in pairs:
        assert (a.got, b.got) == (b.sent, a.sent)
        assert a.channel.remote_id == b.channel.local_id
        assert (a.channel.protocol, a.channel.id) == (b.channel.protocol, b.channel.id)
    for side in sides:
        assert all(r.channel.opened or len(r.closes) == 1 for r in side.made)
        assert all(len(r.handshakes) <= 1 for r in side.made)
        assert len(side.mux.channels()) == len(pairs)
    for a, _ in pairs:
        a.channel.close()
    settle(*sides)
    for side in sides:
        roster = side.mux._roster
        assert set(roster.local) | set(roster.remote) <= {None}
        assert sorted(roster._free) == list(range(1, len(roster.local) + 1))
        assert roster._waiting == {}
        assert (roster.early_bytes, roster._unanswered) == (0, 0)
