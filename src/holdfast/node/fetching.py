"""Fetching a part of a drive into a folder, with an eye on whether anything still arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from holdfast.errors import BlockNotAvailable, HoldfastError, PeerUnreachable
from holdfast.hyperdrive import DriveView, Mirrored, Progress
from holdfast.net import Connection, Peers
from holdfast.node.held import Held

PATIENCE = 90.0
"""Seconds without a sign of life after which `fetch` gives up."""
TICK = 0.5
"""Seconds between two looks at what has arrived."""
NOTICE = 1.0
"""Seconds without a sign of life after which the user is told what is waited for."""
SIGN = 256
"""Bytes in one tick that count as a sign of life: keep-alives are fewer."""
BUSY = 0.2
"""Share of a tick that we compute ourselves (comparing large files) that counts as one, too."""

_AGAIN = "Run the same command again when it is back: it goes on where it stopped."


class Fetched(NamedTuple):
    """What a fetch brought."""

    files: int
    """Files and links that were to be fetched."""
    bytes: int
    """Their size."""
    received: int
    """Bytes that came over the network, overhead included."""
    mirrored: Mirrored
    """What was written, and what was refused."""


class Meter:
    """Counts what arrives over all connections of a node from now on."""

    def __init__(self, peers: Peers) -> None:
        self.received = 0
        self._peers = peers
        self._seen: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()
        for connection in peers:
            self._seen[connection] = connection.bytes_received

    def read(self) -> int:
        """Bytes since the last reading."""
        before = self.received
        for connection in {*self._peers, *self._seen}:
            if connection.route == "relayed":
                continue  # counted with the connection to the relay
            now = connection.bytes_received
            self.received += now - self._seen.get(connection, 0)
            self._seen[connection] = now
        return self.received - before


async def fetch(
    peers: Peers,
    held: Held,
    view: DriveView,
    path: str,
    folder: Path,
    *,
    patience: float = PATIENCE,
    progress: Callable[[Progress], None] | None = None,
    waiting: Callable[[str], None] | None = None,
) -> Fetched:
    """Bring a file or folder of a drive into ``folder``; goes on where an earlier fetch stopped.

    While nobody answers it dials again, tells ``waiting`` what for, and after ``patience`` seconds
    raises `PeerUnreachable` or `BlockNotAvailable`. Also raises as `DriveView.mirror_to`.
    """
    watch = _Watch(peers, held, patience, progress, waiting)
    mirror = asyncio.ensure_future(view.mirror_to(folder, path, progress=watch.progress))
    try:
        while not mirror.done():
            await asyncio.wait([mirror], timeout=TICK)
            if not mirror.done():
                watch.look()
        mirrored = mirror.result()
    finally:
        mirror.cancel()
        await asyncio.gather(mirror, return_exceptions=True)
    watch.meter.read()
    last = watch.last
    files, size = (last.total_files, last.total_bytes) if last else (mirrored.files, mirrored.bytes)
    return Fetched(files, size, watch.meter.received, mirrored)


class _Watch:
    def __init__(
        self,
        peers: Peers,
        held: Held,
        patience: float,
        report: Callable[[Progress], None] | None,
        waiting: Callable[[str], None] | None,
    ) -> None:
        self.meter = Meter(peers)
        self.last: Progress | None = None
        self._held, self._patience, self._report, self._waiting = held, patience, report, waiting
        self._loop = asyncio.get_running_loop()
        self._alive_at = self._loop.time()
        self._computed = time.process_time()
        self._told = False

    def progress(self, progress: Progress) -> None:
        self._alive()
        self.last = progress
        if self._report is not None:
            self._report(progress)

    def _alive(self) -> None:
        self._alive_at = self._loop.time()
        self._told = False

    def look(self) -> None:
        """Was there a sign of life? Raises when there was none for too long."""
        before, self._computed = self._computed, time.process_time()
        if self.meter.read() >= SIGN or self._computed - before >= BUSY * TICK:
            self._alive()
            return
        quiet = self._loop.time() - self._alive_at
        if quiet >= self._patience:
            raise self._given_up()
        if quiet >= NOTICE and not self._told:
            self._told = True
            if self._waiting is not None:
                self._waiting(self._what())

    def _what(self) -> str:
        reach = self._held.reach
        if reach is None or reach.connected:
            return "somebody who has the rest"
        return ", ".join(map(str, reach.addresses)) + " to come back"

    def _given_up(self) -> HoldfastError:
        kept = ""
        if self.last is not None:
            kept = f" {self.last.bytes:,} of {self.last.total_bytes:,} bytes are kept."
        reach = self._held.reach
        if reach is not None and not reach.connected:
            why = reach.error.message if reach.error is not None else "Nobody answers."
            return PeerUnreachable(
                f"The connection was lost and could not be made again: {why}{kept}", _AGAIN
            )
        return BlockNotAvailable(f"Nobody who is connected has the rest.{kept}", _AGAIN)
