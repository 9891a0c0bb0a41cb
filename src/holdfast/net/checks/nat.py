"""Which class of network this is, told by how nodes outside see two of our sockets.

* **open**: what nobody was asked for arrives
* **moderate**: one port outside for everybody, and only who was written to gets through
* **strict**: a port of its own for everybody written to; holes can hardly be punched
* **blocked**: no UDP at all
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from holdfast.dht.ipv4 import is_private
from holdfast.net.checks.probe import PING, Addr, OpenSocket, Prober

ASKED = 5
"""Nodes asked how they see us: one may lie or sit on our own network."""


class NatClass(StrEnum):
    """What stands between us and the others."""

    OPEN = "open"
    MODERATE = "moderate"
    STRICT = "strict"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    """Too few nodes to tell."""


@dataclass(frozen=True)
class NatReport:
    """What the nodes said."""

    nat: NatClass
    seen_as: tuple[Addr, ...] = ()
    """Our addresses as they see them, the most frequent first."""
    asked: int = 0
    """Nodes that said so."""


async def classify(
    nodes: Sequence[Addr], open_socket: OpenSocket, random: Callable[[int], bytes]
) -> NatReport:
    """Ask nodes that are known to answer. Raises `OSError` when no socket can be had."""
    chosen = _apart(nodes)[:ASKED]
    near = Prober(await open_socket(), random)
    far = Prober(await open_socket(), random)
    try:
        answers = await asyncio.gather(*(near.ask(node, PING) for node in chosen))
        seen = Counter(_from_outside([a.seen_as for a in answers if a is not None]))
        ranked = tuple(address for address, _ in seen.most_common())
        if not seen:
            return NatReport(NatClass.BLOCKED)
        if len(seen) > 1 and seen.total() < 2 * len(seen):
            return NatReport(NatClass.STRICT, ranked, seen.total())
        if await _is_open(near, far, chosen):
            return NatReport(NatClass.OPEN, ranked, seen.total())
        enough = seen.total() > 1
        return NatReport(NatClass.MODERATE if enough else NatClass.UNKNOWN, ranked, seen.total())
    finally:
        near.close()
        far.close()


async def _is_open(near: Prober, far: Prober, nodes: Sequence[Addr]) -> bool:
    """Whether a node reaches a socket of ours that has never written to it.

    Under which port that socket is seen outside, another node says first (if there is one).
    """
    stranger, friend = nodes[0], nodes[-1]
    port = far.socket.port
    if friend != stranger:
        answer = await far.ask(friend, PING)
        if answer is not None:
            port = answer.seen_as[1]
    return await near.invite(stranger, far, port)


def _from_outside(seen: list[Addr]) -> list[Addr]:
    """Without what nodes on our own network say, if others say something too."""
    outside = [address for address in seen if not is_private(address[0])]
    return outside or seen


def _apart(nodes: Sequence[Addr]) -> list[Addr]:
    """Nodes on different hosts first: some NATs tell hosts apart, but not ports."""
    first: dict[str, Addr] = {}
    for node in nodes:
        first.setdefault(node[0], node)
    chosen = list(first.values())
    return chosen + [node for node in nodes if node not in chosen]
