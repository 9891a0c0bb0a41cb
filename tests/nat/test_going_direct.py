"""A relay serves at once; a hole that takes longer to punch, or to be tried again, takes over."""

from __future__ import annotations

import threading

import pytest

from tests.nat.pairs import SITES
from tests.support.netlab import Lab
from tests.support.netlab_community import community, directly, get, sharing

SIZE = 6_000_000
SLOW = 60_000
"""Bytes a second at first, so that there is time for a better way."""
FAST = 20_000_000
ENOUGH = 300_000
"""Bytes between the two sites that are a transfer and no mere probing."""
LOOKS, PAUSE = 180, 0.5


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("sharer", "getter"),
    [("moderate", "strict"), ("strict", "moderate"), ("double", "strict"), ("strict", "double")],
)
def test_a_relayed_transfer_goes_over_to_a_direct_way(lab: Lab, sharer: str, getter: str) -> None:
    alice = lab.site("alice", *SITES[sharer], bad=True)
    bob = lab.site("bob", *SITES[getter])
    assert alice.bad is not None
    link = alice.bad
    link.shape(rate=SLOW, queue=0.5)
    went_over = threading.Event()
    stopped = threading.Event()

    def watch() -> None:
        for _ in range(LOOKS):
            if directly(lab, alice, bob) > ENOUGH:
                went_over.set()
                break
            if stopped.wait(PAUSE):
                break
        link.shape(rate=FAST)

    with community(lab) as ours, sharing(alice.host, SIZE, *ours.options) as shared:
        thread = threading.Thread(target=watch)
        thread.start()
        got = get(bob.host, shared.link, *ours.options, within=200)
        stopped.set()
        thread.join()
        assert got.status == 0, got.story
        assert got.content == shared.content
        assert went_over.is_set(), shared.program.story()
