"""A drive arrives whole, over UDP between two networks, whatever the link between them does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.netlab import BadLink, Lab, Site, Tier
from tests.support.netlab_community import Got, Shared, community, directly, get, sharing
from tests.swarm_faults.links import FAULTS, GOOD, MEMORY, PARTITION, SIZE

PATIENCE = 240.0

pytestmark = pytest.mark.timeout(PATIENCE + 60)

Interfere = Callable[[], None]


class Scene:
    """Somebody who shares behind a link that can be made bad, and somebody who gets."""

    def __init__(
        self, lab: Lab, alice: Site, bob: Site, shared: Shared, options: list[str]
    ) -> None:
        self.lab, self.alice, self.bob, self.shared = lab, alice, bob, shared
        self._options = options
        assert alice.bad is not None
        self.link: BadLink = alice.bad

    def get(self, interfere: Interfere | None = None) -> Got:
        """Get it all, while another thread interferes; checks what every transfer must fulfil."""
        threads = [threading.Thread(target=interfere)] if interfere else []
        for thread in threads:
            thread.start()
        start = time.monotonic()
        # With its default of 60 s without news, get gives up in a cut of 60 s, as it should.
        options = [*self._options, "--timeout", "120"]
        got = get(self.bob.host, self.shared.link, *options, within=PATIENCE)
        for thread in threads:
            thread.join(PATIENCE)
        assert got.status == 0, got.story
        assert got.content == self.shared.content
        seconds = time.monotonic() - start
        peaks = (self.shared.program.peak, got.peak)
        print(f"{seconds:.1f} s, memory {peaks[0] / 1e6:.0f} and {peaks[1] / 1e6:.0f} MB")
        assert max(peaks) < MEMORY
        return got


@contextmanager
def scene(lab: Lab, **shape: Any) -> Iterator[Scene]:
    """Two moderate NATs and a bootstrap; the sharer's link is shaped once all are there."""
    alice, bob = lab.site("alice", Tier.MODERATE, bad=True), lab.site("bob", Tier.MODERATE)
    with community(lab) as ours, sharing(alice.host, SIZE, *ours.options) as shared:
        assert shared.program.event("announced")["dht"]
        made = Scene(lab, alice, bob, shared, ours.options)
        made.link.shape(**GOOD | shape)
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_link(lab: Lab, fault: str) -> None:
    with scene(lab, **FAULTS[fault]) as made:
        made.get()
        assert directly(lab, made.alice, made.bob) > SIZE


@pytest.mark.slow
@pytest.mark.parametrize("how", ["mtu", "hole"])
def test_a_path_that_shrinks_on_the_way(lab: Lab, how: str) -> None:
    """What is in flight cannot be made smaller: routers split it, or the peer is dialled anew."""
    with scene(lab) as made:

        def shrink() -> None:
            made.link.wait_bytes(SIZE // 3)
            made.link.shape(**GOOD | {how: 1280})

        made.get(shrink)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [5, PARTITION])
def test_a_partition(lab: Lab, seconds: float) -> None:
    with scene(lab) as made:

        def cut() -> None:
            made.link.wait_bytes(SIZE // 3)
            made.link.cut(seconds)

        made.get(cut)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_another_address_in_the_middle(lab: Lab, who: str) -> None:
    with scene(lab) as made:

        def move() -> None:
            made.link.wait_bytes(SIZE // 3)
            lab.readdress(made.alice if who == "alice" else made.bob)

        made.get(move)
