"""Which ways lead to a peer: every one is tried on its own against nodes that really run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from holdfast.cli.doctor import parse_peer
from holdfast.crypto import discovery_key, key_pair
from holdfast.encoding import Link, key_text
from holdfast.errors import AddressError, LinkError
from holdfast.net import Address, Peers
from holdfast.net.checks.finding import Finding, Severity
from holdfast.node import Network, doctor_peer
from holdfast.node.doctor_peer import Target, examine_peer
from holdfast.node.online import Online

DRIVE = key_pair(b"d" * 32).public_key
NOWHERE = Network(lan=False, machine=False)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chmod(tmp_path, 0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(doctor_peer, "NEAR", 0.3)


class Place:
    """A bootstrap node that relays, and a peer that shares a drive."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.bootstrap: tuple[str, ...] = ()
        self.key = b""
        self.address = Address("127.0.0.1", 0)

    async def node(self, network: Network, *, first: bool = False) -> tuple[Peers, Online]:
        peers = Peers(key_pair(), lambda connection: None)
        self._stack.push_async_callback(peers.close)
        online = await Online.open(peers, network, first=first, serves=first)
        self._stack.push_async_callback(online.close)
        return peers, online

    async def begin(self) -> None:
        """The bootstrap node: UDP, and TCP on the same port."""
        peers, online = await self.node(
            Network(lan=False, machine=False, udp="127.0.0.1:0"), first=True
        )
        assert online.dht is not None
        at = f"127.0.0.1:{online.dht.port}"
        await peers.listen(at)
        online.listens()
        self.bootstrap = (at,)

    async def share(self, network: Network) -> None:
        """A peer that announces the drive wherever it may."""
        peers, online = await self.node(network)
        listener = await peers.listen("127.0.0.1:0")
        online.listens()
        self.key, self.address = peers.key_pair.public_key, listener.addresses[0]
        topic = discovery_key(DRIVE)
        online.announce([topic])
        joined = online.announced(topic)
        assert joined is not None and await joined.flushed()


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        made = Place(stack)
        await made.begin()
        yield made


async def examined(target: Target, network: Network) -> dict[str, Finding]:
    return {finding.code: finding async for finding in examine_peer(target, network)}


async def test_every_way_to_a_peer_is_told_with_its_time() -> None:
    async with place() as here:
        around = Network(
            bootstrap=here.bootstrap, relays=here.bootstrap, lan=False, udp="127.0.0.1:0"
        )
        await here.share(around)
        found = await examined(Target((here.address,), drive_key=DRIVE), around)
        assert list(found) == ["peer-link", "peer-machine", "peer-dht", "peer-relay", "peer"]
        assert {finding.severity for finding in found.values()} == {Severity.OK}, found
        assert found["peer"].facts["ways"] == ["link", "machine", "dht", "relay"]
        for code in list(found)[:-1]:
            facts = found[code].facts
            assert facts["key"] == key_text(here.key) and 0 < facts["seconds"] < 20
        assert found["peer-relay"].facts["route"] == "relayed"
        assert "found_seconds" in found["peer-dht"].facts


async def test_a_peer_is_reached_by_its_key() -> None:
    async with place() as here:
        around = Network(bootstrap=here.bootstrap, lan=False, machine=False, udp="127.0.0.1:0")
        await here.share(around)
        found = await examined(Target(public_key=here.key), around)
        assert list(found) == ["peer-dht", "peer-relay", "peer"]
        assert found["peer-dht"].severity is Severity.OK
        # It leans on no relay: it can be reached, so the other way is a note and no error.
        assert found["peer-relay"].severity is Severity.NOTE and found["peer-relay"].sentence
        assert found["peer"].severity is Severity.OK and found["peer"].facts["ways"] == ["dht"]


async def test_a_peer_that_is_not_there() -> None:
    async with place() as here:
        around = Network(bootstrap=here.bootstrap, lan=False, udp="127.0.0.1:0")
        stranger = key_pair().public_key
        found = await examined(Target((Address("127.0.0.1", 1),), drive_key=stranger), around)
        assert found["peer"].severity is Severity.ERROR and found["peer"].remedy
        assert "Nobody listens" in found["peer-link"].sentence
        assert all(f.severity is Severity.NOTE for code, f in found.items() if code != "peer")


async def test_a_peer_whom_nothing_could_lead_to() -> None:
    found = await examined(Target(public_key=DRIVE), NOWHERE)
    assert list(found) == ["peer"] and "no way to try" in found["peer"].sentence


def test_what_peer_may_be() -> None:
    key = key_text(DRIVE)
    assert parse_peer(key) == Target(public_key=DRIVE)
    assert parse_peer("192.0.2.1:99") == Target((Address("192.0.2.1", 99),))
    link = str(Link(DRIVE, peers=(("192.0.2.1", 99),)))
    assert parse_peer(link) == Target((Address("192.0.2.1", 99),), drive_key=DRIVE)
    with pytest.raises(LinkError, match="cut"):
        parse_peer(key[:-1])
    with pytest.raises(AddressError):
        parse_peer("192.0.2.1:x")
