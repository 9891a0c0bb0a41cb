"""A node that was killed goes on with whom it knows, though every bootstrap node is gone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

import pytest

from tests.support.netlab import Host, Lab, Tier
from tests.support.netlab_community import community
from tests.support.netlab_run import holdfast

RUNS = int(os.environ.get("HOLDFAST_RESTARTS", "4"))
LATENCY = 0.05
"""Seconds, each way, between the one who fetches and everybody else."""
SMALL, LARGE = 100_000, 20_000_000


def fetch(host: Host, store: Path, link: str, *options: str) -> float:
    """Seconds of a ``get`` to its end, the process included."""
    start = time.monotonic()
    with holdfast(host, "--store", store, "get", link, store / "files", *options) as program:
        assert program.wait() == 0, program.story()
    return time.monotonic() - start


def fetch_and_kill(host: Host, store: Path, link: str, *options: str) -> None:
    """A ``get`` that is killed without warning once a part has arrived."""
    assert host.bad is not None
    with holdfast(host, "--store", store, "get", link, store / "files", *options) as program:
        host.bad.wait_bytes(1_000_000)
        program.process.kill()
        assert program.wait() == -9


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_known_peers_are_enough_after_a_crash(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    alice, bob = lab.site("alice", Tier.OPEN), lab.host("bob", bad=True)
    assert bob.bad is not None
    folder = alice.host.home / "things"
    folder.mkdir()
    for name, size in (("first", SMALL), ("second", SMALL), ("large", LARGE)):
        (folder / name).write_bytes(os.urandom(size))
    with community(lab) as ours:
        sharer = holdfast(alice.host, "share", folder, *ours.options)
        link = sharer.event("sharing")["link"] + "/things"
        assert sharer.event("announced")["dht"]
        bob.bad.shape(delay=LATENCY, rate=5_000_000)
        stores = [bob.home / f"store{number}" for number in range(RUNS)]
        cold = [fetch(bob, store, f"{link}/first", *ours.options) for store in stores]
        for store in stores:
            fetch_and_kill(bob, store, f"{link}/large", *ours.options)
    with sharer:  # all bootstrap nodes are gone
        warm = [fetch(bob, store, f"{link}/second", *ours.options) for store in stores]
    for store in stores:
        for name in ("first", "second"):
            assert (store / "files" / name).read_bytes() == (folder / name).read_bytes()
    with capsys.disabled():
        print(f"\n{RUNS} runs, {1000 * LATENCY:.0f} ms each way | best | median | worst")
        for name, times in (("cold, through the DHT", cold), ("warm, bootstrap gone", warm)):
            row = " | ".join(f"{each:.2f} s" for each in (min(times), median(times), max(times)))
            print(f"{name} | {row}", flush=True)
    assert median(warm) < median(cold)
