"""Links between namespaces: a plain pair of devices, or one that can be made bad."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.support.netlab_emulator import Counts, Shape
from tests.support.netlab_space import Namespace

End = tuple[Namespace, str]
"""A namespace, and the name that the device shall have in there."""

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_PATIENCE = 60.0
"""Seconds after which a request without an answer is a failed test."""


def plain_link(left: End, right: End) -> None:
    """A pair of veth devices, both up."""
    (one, name), (two, other) = left, right
    one.ip(f"link add {name} type veth peer name {other} netns {two.name}", f"link set {name} up")
    two.ip(f"link set {other} up")


class BadLink:
    """A link through the emulator; as good as a wire until it is told to be worse."""

    def __init__(self, left: End, right: End, *, seed: int = 1) -> None:
        ends = [_tun(*left), _tun(*right)]
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("netlab_emulator.py")),
                *map(str, ends),
                str(seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=ends,
        )
        for end in ends:
            os.close(end)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ask("counts").get(timeout=_PATIENCE)

    def shape(self, out: Shape | None = None, back: Shape | None = None, **same: Any) -> None:
        """Treat packets so from now on: `out` leaves the left end; by name, both ways the same."""
        shapes = [asdict(shape or Shape(**same)) for shape in (out, back)]
        self._ask("shape", shapes=shapes).get(timeout=_PATIENCE)

    def cut(self, seconds: float) -> None:
        """Let nothing through for so long, beginning now; it heals by itself."""
        self._ask("cut", seconds=seconds).get(timeout=_PATIENCE)

    def heal(self) -> None:
        """End a cut."""
        self.cut(0.0)

    def counts(self) -> tuple[Counts, Counts]:
        """What went from left to right, and from right to left."""
        return _counts(self._ask("counts").get(timeout=_PATIENCE))

    def wait_bytes(self, more: int, patience: float = _PATIENCE) -> None:
        """Wait until that many bytes more have passed, both ways together."""
        total = more + sum(counts.bytes for counts in self.counts())
        self._ask("until", bytes=total).get(timeout=patience)

    def close(self) -> None:
        """End the emulator; its devices go with it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _ask(self, verb: str, **more: Any) -> queue.Queue[dict[str, Any]]:
        assert self._process.stdin is not None
        with self._lock:
            number = len(self._answers)
            answer = self._answers[number] = queue.Queue()
            line = json.dumps({"id": number, "do": verb, **more}) + "\n"
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        return answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            self._answers[answer["id"]].put(answer)


def _counts(answer: dict[str, Any]) -> tuple[Counts, Counts]:
    one, two = answer["counts"]
    return Counts(**one), Counts(**two)


def _tun(space: Namespace, name: str) -> int:
    def make() -> int:
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(
            device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI)
        )
        return device

    device = space.call(make)
    space.ip(f"link set {name} txqueuelen 2000 up")
    return device
