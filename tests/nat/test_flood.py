"""Strangers by the hundred begin handshakes and never go on: a server stays small and reachable."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.nat.pairs import PORT
from tests.support.netlab import Lab
from tests.support.netlab_run import Program

COUNT = int(os.environ.get("HOLDFAST_FLOOD", "10_000"))
SOURCES = 250
PEER = [sys.executable, "-m", "tests.nat.dht_peer"]
MORE_MEMORY = 32_000_000
"""Bytes that a server may grow by, however long it lasts: 3,000, 10,000 and 40,000 handshakes took
18, 22 and 25 MB."""


def usage(program: Program) -> tuple[int, int]:
    """Resident bytes and open descriptors."""
    folder = Path(f"/proc/{program.process.pid}")
    pages = int((folder / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE"), len(list((folder / "fd").iterdir()))


class Watch(threading.Thread):
    """Takes the most that a program used until it is told to stop."""

    def __init__(self, program: Program) -> None:
        super().__init__(daemon=True)
        self.first = self.most = usage(program)
        self._program, self._done = program, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._done.wait(0.05):
            now = usage(self._program)
            self.most = (max(self.most[0], now[0]), max(self.most[1], now[1]))

    def stop(self) -> None:
        self._done.set()
        self.join()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_flood_of_handshakes(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    boot, victim = lab.host("boot"), lab.host("victim")
    attacker, friend = lab.host("attacker"), lab.host("friend")
    sources = lab.more_addresses(attacker, SOURCES)
    bootstrap = f"{boot.address}:{PORT}"
    with (
        Program(boot, *PEER, "boot", boot.address, str(PORT)) as node,
        Program(victim, *PEER, "serve", bootstrap) as server,
    ):
        node.event("ready")
        serving = server.event("serving")
        with Program(friend, *PEER, "call", bootstrap, serving["key"]) as warm:
            assert warm.event("reached", "missed")["event"] == "reached"
        watch = Watch(server)
        at = [serving["key"], victim.address, str(serving["port"]), str(COUNT), *sources]
        with Program(attacker, sys.executable, "-m", "tests.nat.flood", *at) as flood:
            flood.event("ready")
            honest: list[tuple[str, float, float]] = []
            while flood.process.poll() is None and len(honest) < 3:
                start = time.monotonic()
                with Program(friend, *PEER, "call", bootstrap, serving["key"]) as call:
                    said = call.event("reached", "missed")
                honest.append((said["event"], round(time.monotonic() - start, 2), said["seconds"]))
            flooded = flood.event("flooded", within=120)
        watch.stop()
    more = watch.most[0] - watch.first[0]
    with capsys.disabled():
        print(f"\n{COUNT} handshakes from {SOURCES}: memory +{more / 1e6:.1f} MB, descriptors")
        print(f"{watch.first[1]} -> {watch.most[1]}; honest calls {honest}; {flooded}", flush=True)
    assert honest and all(event == "reached" and seconds < 5 for event, _, seconds in honest)
    assert more < MORE_MEMORY
    assert watch.most[1] <= watch.first[1] + 4
    assert flooded["back"] <= 3 * flooded["sent"]
