"""Connections that have gone quiet: dialled anew beside the old one.

Over UDP nothing tells that the other side is elsewhere now, or that a router has forgotten us; and
a stream that waits through a minute without network is as quiet as one that is cut off for good. So
whoever dialled dials again, and whichever of the two is heard first goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from holdfast.net.connection import Connection
from holdfast.net.peers import SUSPECT, Peers

LOOK = SUSPECT / 5
"""Seconds between two looks: what they add to the silence is small."""
FIRST_PAUSE = 5.0
"""Seconds before somebody quiet is dialled once more; doubles each time."""
LONGEST_PAUSE = 60.0


class Doubts:
    """Looks at the connections of a swarm while there are any."""

    def __init__(self, peers: Peers, redial: Callable[[bytes], None]) -> None:
        """``redial(public key)`` begins a dial, unless there is one."""
        self._peers, self._redial = peers, redial
        self._loop = asyncio.get_running_loop()
        self._again: dict[Connection, tuple[float, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """There is a connection to look at."""
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        quiet = [each for each in self._peers if each.is_initiator and self._peers.doubts(each)]
        self._again = {each: self._again.get(each, (now, FIRST_PAUSE)) for each in quiet}
        for connection, (due, pause) in self._again.items():
            if now >= due:
                self._again[connection] = (now + pause, min(2 * pause, LONGEST_PAUSE))
                self._redial(connection.remote_public_key)
        if len(self._peers):
            self.watch()
