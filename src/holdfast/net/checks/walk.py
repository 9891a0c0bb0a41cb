"""Looking around in the DHT: from the bootstrap nodes to those that they name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from holdfast.net.checks.probe import FIND_NODE, Addr, Answer, Prober

ENOUGH = 64
"""Nodes asked at most: enough to tell a network from a lonely node, and over in a second or two."""
AT_ONCE = 8
"""Questions under way at once."""


@dataclass
class Walk:
    """Who answered."""

    answers: list[Answer] = field(default_factory=list)
    """One for each node that answered, bootstrap nodes first."""
    silent: list[Addr] = field(default_factory=list)
    """Nodes that did not."""
    known: int = 0
    """Nodes that were named, asked or not."""

    @property
    def nodes(self) -> list[Addr]:
        """The nodes that answered."""
        return [answer.node for answer in self.answers]


async def look_around(
    prober: Prober, bootstrap: Sequence[Addr], random: Callable[[int], bytes]
) -> Walk:
    """Ask the bootstrap nodes, then those they name, and so on until `ENOUGH` have been asked."""
    walk = Walk()
    seen = dict.fromkeys(bootstrap)
    waiting = list(seen)
    asked = 0
    while waiting and asked < ENOUGH:
        batch, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        asked += len(batch)
        targets = [random(32) for _ in batch]
        answers = await asyncio.gather(
            *(
                prober.ask(node, FIND_NODE, target=target)
                for node, target in zip(batch, targets, strict=True)
            )
        )
        for node, answer in zip(batch, answers, strict=True):
            if answer is None:
                walk.silent.append(node)
                continue
            walk.answers.append(answer)
            fresh = [each for each in answer.closer if each not in seen]
            seen.update(dict.fromkeys(fresh))
            waiting += fresh
    walk.known = len(seen)
    return walk
