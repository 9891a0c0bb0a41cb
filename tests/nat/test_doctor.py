"""The doctor behind real routers: it tells the four kinds of network apart, and what to do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import pytest

from tests.support.netlab import TIERS, Lab, Tier
from tests.support.netlab_community import PORT
from tests.support.netlab_run import Program, holdfast

NODES = 3


@contextlib.contextmanager
def network(lab: Lab) -> Iterator[list[str]]:
    """Public DHT nodes that take TCP on the same port, as bootstrap nodes do; their addresses."""
    with contextlib.ExitStack() as stack:
        addresses: list[str] = []
        for number in range(NODES):
            host = lab.host(f"dht{number}")
            words = ("node", host.address, str(PORT), *addresses[:1])
            node = Program(host, sys.executable, "-m", "tests.nat.dht_peer", *words)
            stack.enter_context(node).event("ready")
            address = f"{host.address}:{PORT}"
            stack.enter_context(holdfast(host, "listen", address)).event("listening")
            addresses.append(address)
        yield addresses


@pytest.mark.parametrize("tier", TIERS)
def test_the_class_of_the_network_is_told(lab: Lab, tier: Tier) -> None:
    site = lab.site("home", tier)
    with network(lab) as addresses:
        options = [word for address in addresses for word in ("--bootstrap", address)]
        with holdfast(site.host, "doctor", "--no-lan", *options) as doctor:
            status = doctor.wait()
    checks = {each["code"]: each for each in doctor.seen if each["event"] == "check"}
    nat = checks["nat"]
    assert nat["facts"]["class"] == tier.value, doctor.story()
    assert status == (1 if tier is Tier.BLOCKED else 0), doctor.story()
    worse = tier in (Tier.STRICT, Tier.BLOCKED)
    assert nat["severity"] == ("warning" if worse else "ok")
    assert bool(nat["remedy"]) == worse
    if tier is not Tier.BLOCKED:
        assert checks["dht"]["facts"]["nodes"] == NODES
        assert {seen.split(":")[0] for seen in nat["facts"]["seen_as"]} == {site.address}
