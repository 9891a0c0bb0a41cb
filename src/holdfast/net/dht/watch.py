"""Notices when this machine has slept or has come to another network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from holdfast.net.address import is_unspecified, reachable_hosts

LOOK_EVERY = 5.0
"""Seconds between looks; one look asks the kernel for a route and sends nothing (20 µs)."""


def seconds() -> float:
    """A clock that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class NetworkWatch:
    """Calls ``moved`` when the addresses of a socket that is bound to all of them have changed."""

    def __init__(self, host: str, moved: Callable[[], None]) -> None:
        self._host = host
        self._moved = moved
        self._hosts = reachable_hosts(host)
        self._timer: asyncio.TimerHandle | None = None
        if is_unspecified(host):
            self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self.look)

    def look(self) -> None:
        """Compare with the last look; having no address at all is no change yet."""
        hosts = reachable_hosts(self._host)
        self._wait()
        if len(hosts) > 1 and hosts != self._hosts:
            self._hosts = hosts
            self._moved()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
