"""A bare UDX stream over links of every sort: all of it arrives, in bounded memory and time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from tests.support.netlab import Host, Lab
from tests.support.netlab_run import Program
from tests.swarm_faults.links import FAULTS, GOOD, MEMORY, RATE, SIZE

WITHIN = 90.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(WITHIN + 30)]


@pytest.fixture
def ends(lab: Lab) -> tuple[Host, Host]:
    """Who sends, over a link that can be made bad, and who receives."""
    return lab.host("sender", bad=True), lab.host("receiver")


def transfer(
    sender: Host, receiver: Host, interfere: Callable[[], None] | None = None
) -> dict[str, float]:
    """Send it all; what the receiver says of it."""
    peer = [sys.executable, "-m", "tests.swarm_faults.udx_peer"]
    with Program(receiver, *peer, "receive", sender.address, str(SIZE)) as there:
        there.event("ready")
        thread = threading.Thread(target=interfere or (lambda: None))
        thread.start()
        with Program(sender, *peer, "send", receiver.address, str(SIZE)) as here:
            received = there.event("received", within=WITHIN)
            sent = here.event("sent", within=20)
            thread.join(WITHIN)
            assert (received["bytes"], received["error"]) == (SIZE, ""), here.story()
            assert received["hash"] == sent["hash"]
            assert max(here.peak, there.peak) < MEMORY
    return received


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_link(ends: tuple[Host, Host], fault: str) -> None:
    assert ends[0].bad is not None
    ends[0].bad.shape(**GOOD | FAULTS[fault])
    received = transfer(*ends)
    assert received["seconds"] < 15 * SIZE / RATE + 5


def test_the_path_shrinks_on_the_way(ends: tuple[Host, Host]) -> None:
    link = ends[0].bad
    assert link is not None
    link.shape(**GOOD)

    def shrink() -> None:
        link.wait_bytes(SIZE // 3)
        link.shape(**GOOD | {"mtu": 1280})

    transfer(*ends, shrink)


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_a_cut(ends: tuple[Host, Host], seconds: float) -> None:
    link = ends[0].bad
    assert link is not None
    link.shape(**GOOD)

    def cut() -> None:
        link.wait_bytes(SIZE // 3)
        link.cut(seconds)

    received = transfer(*ends, cut)
    assert received["seconds"] < 4 * seconds + 3 * SIZE / RATE + 5
