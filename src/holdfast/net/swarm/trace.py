"""What was tried to reach whom, and what came of it: for people, tests and the doctor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

KEPT = 1000
"""Steps remembered: the last minutes of a busy node."""

FOUND, TRYING, OPENED, FAILED, DROPPED, CLOSED = (
    "found",
    "trying",
    "opened",
    "failed",
    "dropped",
    "closed",
)

INCOMING = "incoming"
"""Stands for a rung where the other side dialled."""


class Step(NamedTuple):
    """One step towards one peer."""

    at: float
    """When, on the swarm's clock."""
    who: bytes
    """The public key."""
    rung: str
    """Which way (see `candidate.RUNGS`)."""
    outcome: str
    """``found``, ``trying``, ``opened``, ``failed``, ``dropped`` (another rung was faster) or
    ``closed``."""
    seconds: float = 0.0
    """How long it took; of a closed connection, how long it lasted."""
    where: str = ""
    """Addresses, as text."""
    reason: str = ""
    """Why not, as a sentence."""

    def __str__(self) -> str:
        """One line."""
        text = f"{self.who.hex()[:8]} {self.rung:8}{self.outcome}"
        if self.outcome not in (FOUND, TRYING):
            text += f" after {self.seconds:.3f} s"
        return " ".join(part for part in (text, self.where, self.reason) if part)


class Trace:
    """The last steps, the oldest first; watchers hear each as it is made."""

    def __init__(self, kept: int = KEPT) -> None:
        self._steps: deque[Step] = deque(maxlen=kept)
        self._watchers: list[Callable[[Step], None]] = []

    def __iter__(self) -> Iterator[Step]:
        return iter(list(self._steps))

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: Step) -> None:
        """Keep a step and tell the watchers."""
        self._steps.append(step)
        for watcher in list(self._watchers):
            watcher(step)

    def watch(self, callback: Callable[[Step], None]) -> Callable[[], None]:
        """Call back with every step from now on; returns how to stop that."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback) if callback in self._watchers else None

    def of(self, key: bytes) -> list[Step]:
        """The steps towards one peer."""
        return [step for step in self._steps if step.who == key]
