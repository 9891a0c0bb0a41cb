"""What the doctor says of the world: with real nodes, behind routers of each kind."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from holdfast.crypto import random_bytes
from holdfast.net.checks import probe
from holdfast.net.checks.finding import Finding, Severity
from holdfast.net.checks.nat import NatClass, classify
from holdfast.net.checks.outside import check_outside
from holdfast.net.checks.probe import PING, Prober, open_socket
from holdfast.net.checks.walk import look_around
from holdfast.net.dht.node import DhtNode
from tests.support.natshim import OUTSIDE, Mode, behind


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes on this machine answer sooner than those on another continent."""
    monkeypatch.setattr(probe, "TRY_SECONDS", 0.3)


@asynccontextmanager
async def network(size: int) -> AsyncIterator[list[DhtNode]]:
    """So many nodes that stay, each knowing the first."""
    async with AsyncExitStack() as stack:
        nodes: list[DhtNode] = []
        for number in range(size):
            first = [f"127.0.0.1:{nodes[0].port}"] if nodes else []
            node = await DhtNode.open(
                host=f"127.0.0.{1 + number}" if number else "127.0.0.1",
                bootstrap=first,
                ephemeral=False,
            )
            stack.push_async_callback(node.close)
            nodes.append(node)
            await node.bootstrapped()
        yield nodes


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings}


@pytest.mark.parametrize("mode", Mode)
async def test_the_class_of_nat_is_told(mode: Mode) -> None:
    async with network(5) as nodes:
        report = await classify(
            [(node.host, node.port) for node in nodes], behind(mode), random_bytes
        )
        assert report.nat.value == mode.value
        if mode is not Mode.BLOCKED:
            assert {host for host, _ in report.seen_as} == {OUTSIDE} and report.asked == 5


@pytest.mark.parametrize(
    ("mode", "severity"),
    [(Mode.OPEN, Severity.OK), (Mode.MODERATE, Severity.OK), (Mode.STRICT, Severity.WARNING)],
)
async def test_the_findings_behind_a_router(mode: Mode, severity: Severity) -> None:
    async with network(5) as nodes:
        bootstrap = [f"127.0.0.1:{nodes[0].port}"]
        found = by_code(await check_outside(bootstrap, random_bytes, opener=behind(mode)))
        assert found["dht"].severity is found["udp"].severity is Severity.OK
        assert found["dht"].facts["nodes"] == 5
        assert found["nat"].facts["class"] == mode.value
        assert found["nat"].severity is severity
        assert bool(found["nat"].remedy) == (severity is Severity.WARNING)


async def test_a_network_that_lets_no_udp_through() -> None:
    """The bootstrap node takes TCP on the same port: that is how it shows."""
    async with network(1) as (node,):
        with socket.create_server((node.host, node.port)):
            bootstrap = [f"{node.host}:{node.port}"]
            findings = await check_outside(bootstrap, random_bytes, opener=behind(Mode.BLOCKED))
    found = by_code(findings)
    assert found["dht"].severity is Severity.ERROR
    assert "TCP" in found["udp"].sentence and "--relay" in found["udp"].remedy
    assert found["nat"].facts["class"] == "blocked"


async def test_one_node_cannot_tell_moderate_from_strict() -> None:
    async with network(1) as (node,):
        at = [(node.host, node.port)]
        assert (await classify(at, behind(Mode.STRICT), random_bytes)).nat is NatClass.UNKNOWN
        assert (await classify(at, open_socket, random_bytes)).nat is NatClass.OPEN
        found = by_code(await check_outside([f"127.0.0.1:{node.port}"], random_bytes))
        assert found["dht"].severity is Severity.NOTE and "no other" in found["dht"].sentence


async def test_bootstrap_nodes_that_are_not_there() -> None:
    async with network(2) as nodes:
        good = f"127.0.0.1:{nodes[0].port}"
        found = by_code(await check_outside([good, "127.0.0.1:1"], random_bytes))
        assert found["dht"].severity is Severity.WARNING
        assert found["dht"].facts["bootstrap_silent"] == ["127.0.0.1:1"]
    found = by_code(await check_outside([good], random_bytes))
    assert found["dht"].severity is Severity.ERROR and good in found["dht"].sentence
    found = by_code(await check_outside(["no.such.host.invalid:1", "x"], random_bytes))
    assert "None of the bootstrap nodes has an address" in found["dht"].sentence
    found = by_code(await check_outside([], random_bytes))
    assert found["dht"].severity is Severity.NOTE and "--bootstrap" in found["dht"].remedy


async def test_a_walk_finds_nodes_that_were_not_given() -> None:
    async with network(6) as nodes:
        prober = Prober(await open_socket(), random_bytes)
        walk = await look_around(prober, [("127.0.0.1", nodes[0].port)], random_bytes)
        assert sorted(walk.nodes) == sorted((node.host, node.port) for node in nodes)
        answer = await prober.ask(("127.0.0.1", nodes[0].port), PING)
        assert answer is not None and answer.seen_as[1] == prober.socket.port
        assert await prober.ask(("127.0.0.1", 1), PING, tries=1) is None
        prober.close()
