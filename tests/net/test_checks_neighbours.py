from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from holdfast.crypto import key_pair
from holdfast.net import Peers
from holdfast.net.checks import neighbours, serve_clock
from holdfast.net.checks.finding import Severity
from holdfast.net.checks.neighbours import check_relays, connector
from holdfast.net.relay.server import RelayServer

CONNECT = connector(key_pair())


@asynccontextmanager
async def node(*, relays: bool = True, tells_time: bool = True) -> AsyncIterator[str]:
    """A node that may relay and tell the time; its address."""
    peers = Peers(key_pair(), lambda connection: None)
    server = RelayServer(peers.key_pair.public_key)
    if relays:
        peers.watch(server.attach)
    if tells_time:
        peers.watch(serve_clock)
    try:
        listener = await peers.listen("127.0.0.1:0")
        yield str(listener.addresses[0])
    finally:
        await server.close()
        await peers.close()


async def test_a_relay_works_and_tells_the_time() -> None:
    async with node() as address:
        finding, told = await check_relays([address], [], CONNECT)
        assert finding.severity is Severity.OK and finding.facts["working"] == [address]
        assert len(told) == 1 and abs(told[0].offset) < 1


async def test_a_bootstrap_node_is_tried_as_a_relay() -> None:
    async with node(tells_time=False) as address:
        finding, told = await check_relays([], [address], CONNECT)
        assert finding.severity is Severity.OK and finding.facts["working"] == [address]
        assert told == []


async def test_a_node_that_does_not_relay() -> None:
    async with node(relays=False) as address:
        finding, told = await check_relays([address], [], CONNECT)
        assert finding.severity is Severity.ERROR and finding.remedy
        assert address in finding.facts["failed"] and len(told) == 1
        finding, _ = await check_relays([], [address], CONNECT)
        assert finding.severity is Severity.NOTE and "No relay is known" in finding.sentence


async def test_one_of_two_relays_is_gone() -> None:
    async with node() as address:
        finding, _ = await check_relays([address, "127.0.0.1:1"], [], CONNECT)
        assert finding.severity is Severity.WARNING and "not 127.0.0.1:1" in finding.sentence
    finding, told = await check_relays([address], [], CONNECT)
    assert finding.severity is Severity.ERROR and "Nobody listens" in finding.sentence
    assert told == []


async def test_something_else_than_a_node_is_given_up_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "DIAL_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        finding, _ = await check_relays([address], [], CONNECT)
    assert finding.severity is Severity.ERROR
