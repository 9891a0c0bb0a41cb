"""Every kind of network exchanges a drive with every other: directly where the original does.

Where one side has a strict NAT, the original searches for a hole for seconds; ours may have fetched
a small drive by a relay before that. That it then goes over is tried in `test_going_direct`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nat.pairs import RECORD, SITES, table
from tests.support.netlab import Lab, Site
from tests.support.netlab_community import Got, Shared, community, directly, get, sharing

SIZE = 200_000
ROUNDS = int(os.environ.get("HOLDFAST_NAT_ROUNDS", "1"))
KINDS = os.environ.get("HOLDFAST_NAT_SITES", ",".join(SITES)).split(",")

ORIGINAL = json.loads(RECORD.read_text())["servers js, clients js, public js"]
"""What `tests.nat.pairs` measured: "3/3 …" where every attempt was a direct connection."""


@dataclass
class Pair:
    """How one exchange went."""

    seconds: float
    direct: bool
    routes: list[str]

    def __str__(self) -> str:
        return f"{'direct' if self.direct else 'relay'} {self.seconds:.1f} s"


@contextlib.contextmanager
def sharers(lab: Lab, options: list[str]) -> Iterator[dict[str, tuple[Site, Shared]]]:
    """Somebody who shares at every kind of site."""
    with contextlib.ExitStack() as stack:
        found = {}
        for kind in KINDS:
            site = lab.site(f"s-{kind}", *SITES[kind])
            found[kind] = (site, stack.enter_context(sharing(site.host, SIZE, *options)))
        yield found


def exchange(lab: Lab, sharer: Site, shared: Shared, getter: Site, options: list[str]) -> Pair:
    """One get; the bytes are compared, and the segment's counters say which way they went."""
    before, start = directly(lab, sharer, getter), time.monotonic()
    name = f"from-{sharer.host.name.rpartition('-')[2]}-{time.monotonic_ns()}"
    got: Got = get(getter.host, shared.link, *options, name=name)
    seconds = time.monotonic() - start
    assert got.status == 0, got.story
    assert got.content == shared.content
    return Pair(seconds, directly(lab, sharer, getter) - before > SIZE, got.routes)


def possible_for_the_original(sharer: str, getter: str) -> bool:
    """Whether the original connects two such sites directly, whoever of them calls."""
    cells = (ORIGINAL[sharer][getter], ORIGINAL[getter][sharer])
    return all(not cell.startswith("0/") for cell in cells)


def is_a_long_search(sharer: str, getter: str) -> bool:
    """Whether it takes many probes, after which a node also rests for 20 seconds."""
    return "strict" in (sharer, getter) and "open" not in (sharer, getter)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_pair_exchanges_a_drive(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, dict[str, list[Pair]]] = {one: {two: [] for two in KINDS} for one in KINDS}
    with community(lab) as ours, sharers(lab, ours.options) as shared:
        getters = {kind: lab.site(f"g-{kind}", *SITES[kind]) for kind in KINDS}
        for _ in range(ROUNDS):
            for one, (site, what) in shared.items():
                for two, getter in getters.items():
                    pair = exchange(lab, site, what, getter, ours.options)
                    found[one][two].append(pair)
                    with capsys.disabled():
                        print(f"{one:9} -> {two:9} {pair} {pair.routes}", flush=True)
    cells = {
        one: {two: str(max(row[two], key=_worse)) for two in row} for one, row in found.items()
    }
    _keep(table(cells), capsys)
    missed = [
        (one, two)
        for one in KINDS
        for two in KINDS
        if possible_for_the_original(one, two)
        and not is_a_long_search(one, two)
        and not all(each.direct for each in found[one][two])
    ]
    assert not missed, "relayed, although the original connects such pairs directly"


def _worse(pair: Pair) -> tuple[bool, float]:
    return (not pair.direct, pair.seconds)


def _keep(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Print the table, and leave it where CI's other results are."""
    with capsys.disabled():
        print(f"\nWho shares \\ who gets, the worst of {ROUNDS}:\n{text}", flush=True)
    folder = Path(__file__).resolve().parents[2] / "build"
    folder.mkdir(exist_ok=True)
    (folder / "nat-matrix.md").write_text(text + "\n")
