"""Which ways lead to one given peer: each is tried on its own, all at the same time.

A node takes the first way that works; here every one is walked to its end, with a key of its own,
so that one can see what would be left if the best were gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from holdfast.crypto import discovery_key, key_pair
from holdfast.encoding import key_text
from holdfast.errors import HoldfastError, PeerUnreachable
from holdfast.net import Address, Connection, Peers
from holdfast.net.checks.finding import Finding, error, good, note
from holdfast.net.dht.node import DhtNode
from holdfast.net.near.lan import LocalNetwork
from holdfast.net.near.same_machine import SameMachine
from holdfast.net.swarm.candidate import DHT, LAN, LINK, MACHINE, RELAY
from holdfast.net.swarm.swarm import Swarm
from holdfast.net.swarm.trace import FAILED, FOUND
from holdfast.node.network import Network
from holdfast.node.relaying import Relaying

PATIENCE = 45.0
"""Seconds for one way: punching a hole through a strict NAT takes most of it."""
NEAR = 3.0
"""Seconds after the first lookup for neighbours to answer, and for those found to be dialled."""

_NAMES = {
    LINK: "at the address given",
    MACHINE: "on this machine",
    LAN: "on this network",
    DHT: "through the DHT",
    RELAY: "over a relay",
}


@dataclass(frozen=True)
class Target:
    """Whom to reach; what is None is not known of it."""

    addresses: tuple[Address, ...] = ()
    public_key: bytes | None = None
    """The peer's own key."""
    drive_key: bytes | None = None
    """A drive that it shares."""

    @property
    def can_be_found(self) -> bool:
        """Whether there is anything to look it up by."""
        return self.public_key is not None or self.drive_key is not None


@dataclass(frozen=True)
class Reached:
    """How one way ended."""

    rung: str
    seconds: float
    failure: str = ""
    route: str = ""
    address: str = ""
    key: str = ""
    found: float | None = None
    """Seconds until it was found; None when there was nothing to be looked up."""


async def examine_peer(target: Target, network: Network) -> AsyncIterator[Finding]:
    """A finding for each way, and one for the peer: whether any of them leads there."""
    tasks = [asyncio.ensure_future(_walk(rung, way)) for rung, way in _ways(target, network)]
    ends: list[Reached] = []
    try:
        for task in tasks:
            reached = await task
            ends.append(reached)
            yield _way_finding(reached)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    yield _peer_finding(ends)


# -- the ways -----------------------------------------------------------------------------------

_Way = Callable[[AsyncExitStack], Awaitable[Reached]]


def _ways(target: Target, network: Network) -> list[tuple[str, _Way]]:
    found: list[tuple[str, _Way]] = []
    if target.addresses:
        found.append((LINK, lambda stack: _by_address(stack, target)))
    if target.drive_key is not None and network.machine:
        found.append((MACHINE, lambda stack: _nearby(stack, target, MACHINE)))
    if target.drive_key is not None and network.lan:
        found.append((LAN, lambda stack: _nearby(stack, target, LAN)))
    if target.can_be_found and network.bootstrap:
        found.append((DHT, lambda stack: _by_dht(stack, target, network)))
    if target.can_be_found and (network.relays or network.bootstrap):
        found.append((RELAY, lambda stack: _by_relay(stack, target, network)))
    return found


async def _walk(rung: str, way: _Way) -> Reached:
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
            return await way(stack)
    except TimeoutError:
        failure = f"Nothing was reached in {PATIENCE:g} seconds."
    except HoldfastError as problem:
        failure = problem.message
    return Reached(rung, loop.time() - start, failure)


def _peers(stack: AsyncExitStack) -> Peers:
    peers = Peers(key_pair(), lambda connection: None)
    stack.push_async_callback(peers.close)
    return peers


async def _by_address(stack: AsyncExitStack, target: Target) -> Reached:
    loop, peers = asyncio.get_running_loop(), _peers(stack)
    failure: HoldfastError = PeerUnreachable("There is no address.")
    for address in target.addresses:
        start = loop.time()
        try:
            opened = await peers.connect(address, expected_key=target.public_key)
        except HoldfastError as problem:
            failure = problem
        else:
            return _arrived(LINK, opened, loop.time() - start)
    raise failure


async def _nearby(stack: AsyncExitStack, target: Target, rung: str) -> Reached:
    peers = _peers(stack)
    kind = SameMachine if rung == MACHINE else LocalNetwork
    finder = kind(peers.key_pair.public_key, tuple)
    return await _by_swarm(stack, Swarm(peers, finders=[finder]), target, rung)


async def _by_dht(stack: AsyncExitStack, target: Target, network: Network) -> Reached:
    peers = _peers(stack)
    dht = await _open_dht(stack, network, peers)
    if not await dht.bootstrapped():
        raise PeerUnreachable("No bootstrap node of the DHT answers.")
    return await _by_swarm(stack, Swarm(peers, dht=dht), target, DHT)


async def _by_relay(stack: AsyncExitStack, target: Target, network: Network) -> Reached:
    peers = _peers(stack)
    dht = await _open_dht(stack, network, peers) if network.bootstrap else None
    relaying = Relaying(peers, network, dht, serves=False)
    stack.push_async_callback(relaying.close)
    relaying.lean_on(network.relays or network.bootstrap)
    swarm = Swarm(peers, finders=[relaying.finder], relays=relaying.dialer)
    return await _by_swarm(stack, swarm, target, RELAY)


async def _open_dht(stack: AsyncExitStack, network: Network, peers: Peers) -> DhtNode:
    dht = await DhtNode.open(bootstrap=network.bootstrap, key_pair=peers.key_pair)
    stack.push_async_callback(dht.close)
    return dht


async def _by_swarm(stack: AsyncExitStack, swarm: Swarm, target: Target, rung: str) -> Reached:
    stack.push_async_callback(swarm.close)
    loop = asyncio.get_running_loop()
    start = loop.time()
    if target.public_key is not None:
        connection = await swarm.reach(target.public_key, timeout=PATIENCE)
        if connection is None:
            raise PeerUnreachable(_last_failure(swarm))
        return _arrived(rung, connection, loop.time() - start)
    assert target.drive_key is not None
    topic = discovery_key(target.drive_key)
    connection = await _first_for(swarm, topic)
    found = [step.at for step in swarm.trace if step.outcome == FOUND]
    reached = _arrived(rung, connection, loop.time() - start)
    return replace(reached, found=found[0] - start if found else None)


async def _first_for(swarm: Swarm, topic: bytes) -> Connection:
    """The first connection with somebody found under a topic."""
    opened: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def met(connection: Connection) -> None:
        known = swarm.crowd.known.get(connection.remote_public_key)
        if known is not None and topic in known.topics and not opened.done():
            opened.set_result(connection)

    unwatch = swarm.peers.watch(met)
    joined = swarm.join(topic, announce=False, lookup=True)
    try:
        looked = asyncio.ensure_future(_looked(swarm, topic, joined.flushed))
        either: list[asyncio.Future[Any]] = [opened, looked]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        looked.cancel()
        if not opened.done():
            raise PeerUnreachable(swarm.explain(topic))
        return opened.result()
    finally:
        unwatch()


async def _looked(swarm: Swarm, topic: bytes, flushed: Callable[[], Awaitable[bool]]) -> None:
    """Return when whoever the first lookup found was dialled in vain."""
    await flushed()
    await asyncio.sleep(NEAR)
    await swarm.tried(topic)


def _arrived(rung: str, connection: Connection, seconds: float) -> Reached:
    address, key = connection.remote_address, key_text(connection.remote_public_key)
    return Reached(rung, seconds, "", connection.route, str(address or ""), key)


def _last_failure(swarm: Swarm) -> str:
    reasons = [step.reason for step in swarm.trace if step.outcome == FAILED and step.reason]
    return reasons[-1] if reasons else "It was not found."


# -- words --------------------------------------------------------------------------------------


def _way_finding(end: Reached) -> Finding:
    code, name = f"peer-{end.rung}", _NAMES[end.rung]
    facts = {"seconds": round(end.seconds, 4), "works": not end.failure}
    if end.failure:
        return note(code, f"Not reached {name}: {end.failure}", "", **facts, reason=end.failure)
    if end.found is not None:
        facts["found_seconds"] = round(end.found, 4)
    sentence = (
        f"Reached {name} in {end.seconds:.3f} s ({end.route}, {end.address or 'no address'})."
    )
    return good(code, sentence, **facts, route=end.route, address=end.address, key=end.key)


def _peer_finding(ends: Sequence[Reached]) -> Finding:
    working = [end for end in ends if not end.failure]
    ways = [end.rung for end in working]
    if working:
        first = working[0]
        sentence = f"The peer is reached {_NAMES[first.rung]}; ways that work: {', '.join(ways)}."
        return good("peer", sentence, ways=ways)
    remedy = "Check that it runs now and shares this; see the checks above for each way."
    if not ends:
        sentence = "There is no way to try: no address, and nothing to look the peer up with."
        remedy = "Give --bootstrap or --relay, or the peer's address."
        return error("peer", sentence, remedy, ways=ways)
    return error("peer", "No way leads to the peer.", remedy, ways=ways)
