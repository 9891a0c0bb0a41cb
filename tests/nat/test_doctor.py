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


@pytest.mark.parametrize(
    ("ours", "theirs", "works"),
    [(Tier.MODERATE, Tier.MODERATE, True), (Tier.STRICT, Tier.STRICT, False)],
)
def test_which_way_leads_to_a_given_peer(lab: Lab, ours: Tier, theirs: Tier, works: bool) -> None:
    here, there = lab.site("here", ours), lab.site("there", theirs)
    with network(lab) as addresses:
        words = (sys.executable, "-m", "tests.nat.dht_peer", "serve", addresses[0])
        with Program(there.host, *words) as peer:
            key = peer.event("serving")["key"]
            options = ("--no-lan", "--bootstrap", addresses[0], "--peer", key)
            with holdfast(here.host, "doctor", *options) as doctor:
                status = doctor.wait()
    checks = {each["code"]: each for each in doctor.seen if each["event"] == "check"}
    way = checks["peer-dht"]
    assert way["facts"]["works"] is works, doctor.story()
    assert status == (0 if works else 1)
    assert 0 < way["facts"]["seconds"] < 60
    if works:
        assert way["facts"]["route"] == "punched"
    else:
        assert "change ports" in way["message"] and checks["peer"]["severity"] == "error"
