"""How far finding others has come, in one sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.net.swarm.candidate import RELAY
from holdfast.net.swarm.trace import FAILED

if TYPE_CHECKING:
    from holdfast.net.swarm.swarm import Swarm


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
        failed = [step for step in swarm.trace.of(peer.key) if step.outcome == FAILED]
        if failed:  # that no relay holds it says less than what the peer itself did
            reason = min(reversed(failed), key=lambda step: step.rung == RELAY).reason
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
    places = [str(getattr(finder, "place", "others")) for finder in swarm.finders]
    if places:
        asked = " and ".join([", ".join(places[:-1]), places[-1]] if places[1:] else places)
        return f"Only {asked} could be asked: no bootstrap node is configured."
    return "There was nowhere to look: no bootstrap node is configured, and no local network."


def _people(count: int) -> str:
    return "one peer" if count == 1 else f"{count} peers"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
