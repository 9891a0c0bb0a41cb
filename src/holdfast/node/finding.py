"""Finding somebody who has a drive: at given addresses, and through the swarm, at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.errors import BlockNotAvailable, DamagedError, HoldfastError, PeerUnreachable
from holdfast.net import Address, Peers
from holdfast.node.held import Held
from holdfast.store import Core

if TYPE_CHECKING:
    from holdfast.node.online import Online
    from holdfast.node.reach import Reach

PEER_TIMEOUT = 10.0
"""Seconds that a connected peer has to show that it exchanges a drive."""
NEAR = 3.0
"""Seconds for those nearby to answer: a question on the network, an answer, and a slow machine."""

AGAIN = 2.5
"""Seconds more where the DHT answered: a second lookup finds what a bad line hid from the first."""

_KEEP_SHARING = "Check that it is still being shared, and that the link is whole."
_ELSEWHERE = (
    "Check that it is being shared now. From another network, both sides need the same --bootstrap"
    " node, or the link a ?peer=HOST:PORT."
)


async def find(
    peers: Peers, online: Online | None, held: Held, addresses: Sequence[Address], timeout: float
) -> None:
    """Learn the newest version from whoever answers; nobody has to if there is one here.

    Raises `PeerUnreachable`, `BlockNotAvailable`. It goes on looking after that.
    """
    core = held.drive.core
    ways: list[Coroutine[Any, Any, HoldfastError]] = []
    if addresses:
        ways.append(_by_address(held.look_at(peers.connect, addresses)))
    elif held.sources:
        ways.append(_asked())
    if online is not None:
        held.look_for(online)
        ways.append(_by_swarm(online, held, timeout))
    if not ways and not held.sources and not known(core):
        raise PeerUnreachable(
            "Nobody is known who has this drive.",
            "Use a link with ?peer=HOST:PORT in it, or add --peer HOST:PORT.",
        )
    error = await _first_peer(held, ways, timeout)
    if error is None:
        await held.drive.update(wait=not known(core), timeout=timeout)
    elif not known(core):
        raise error


def known(core: Core) -> int:
    """Blocks of a log known here; none when its copy is damaged and somebody must show it again."""
    try:
        return core.length
    except DamagedError:
        return 0


async def _first_peer(
    held: Held, ways: list[Coroutine[Any, Any, HoldfastError]], timeout: float
) -> HoldfastError | None:
    """None once somebody exchanges the drive; when no way has led anywhere, why not."""
    met = asyncio.ensure_future(held.wait_peer(timeout))
    tried = asyncio.ensure_future(_all(ways))
    both: list[asyncio.Future[Any]] = [met, tried]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if met.done() and met.result():
            return None
        if not tried.done():
            return PeerUnreachable("Nobody answered in time.", _ELSEWHERE)
        # Somebody may have come while the last way was given up.
        return None if held.drive.core.peers else _plainest(tried.result())
    finally:
        met.cancel()
        tried.cancel()
        await asyncio.gather(met, tried, return_exceptions=True)


async def _all(ways: list[Coroutine[Any, Any, HoldfastError]]) -> list[HoldfastError]:
    return await asyncio.gather(*ways)


def _plainest(errors: list[HoldfastError]) -> HoldfastError:
    """Of several failures the one that says most: a peer that answered wrongly beats silence."""
    answered = [error for error in errors if not isinstance(error, PeerUnreachable)]
    return (answered or errors or [PeerUnreachable("Nobody answered.")])[0]


async def _by_address(reach: Reach) -> HoldfastError:
    await reach.first()
    if not reach.connected:
        return reach.error or PeerUnreachable("Nobody answered.")
    return await _asked()


async def _asked() -> HoldfastError:
    """Somebody is connected, and has some time to show that they exchange the drive."""
    await asyncio.sleep(PEER_TIMEOUT)
    return BlockNotAvailable(
        "Somebody answers there, but does not offer this drive.", _KEEP_SHARING
    )


async def _by_swarm(online: Online, held: Held, timeout: float) -> HoldfastError:
    """Return when the first lookups are over and whoever they found was dialled in vain."""
    topic, swarm = held.drive.discovery_key, online.swarm
    assert held.joined is not None
    asked = await held.joined.flushed(timeout)
    await asyncio.sleep(NEAR if online.near or online.relaying else 0)
    if asked and online.dht is not None:
        await asyncio.sleep(AGAIN)
    await swarm.tried(topic)
    if swarm.crowd.connected(topic):
        return await _asked()
    return PeerUnreachable(online.explain(topic), _ELSEWHERE)
