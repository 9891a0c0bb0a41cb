"""How far finding others has come, in one sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.net.trace import FAILED

if TYPE_CHECKING:
    from holdfast.net.swarm import Swarm


def explain(swarm: Swarm, topic: bytes) -> str:
    """Who was found for a topic, who is connected, and if nobody: the likeliest cause."""
    peers = swarm.crowd.peers_of(topic)
    connected = sum(peer.state == "open" for peer in peers)
    if connected:
        return f"{connected} of {_people(len(peers))} found for it {_are(connected)} connected."
    if not peers:
        return f"Nobody was found who has it. {_where(swarm)}"
    reason = ""
    for peer in peers:
        failed = [step.reason for step in swarm.trace.of(peer.key) if step.outcome == FAILED]
        reason = failed[-1] if failed else reason
    found = _people(len(peers))
    if not reason:
        return f"{found[0].upper()}{found[1:]} {_were(len(peers))} found and not reached yet."
    return (
        f"{found[0].upper()}{found[1:]} {_were(len(peers))} found, but none was reached: {reason}"
    )


def _where(swarm: Swarm) -> str:
    """Where was looked, or why nothing could be asked."""
    if swarm.dht is not None:
        return swarm.dht.status
    if swarm.finders:
        return "Only this machine and its network were asked: no bootstrap node is configured."
    return "There was nowhere to look: no bootstrap node is configured, and no local network."


def _people(count: int) -> str:
    return "one peer" if count == 1 else f"{count} peers"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
