"""A link that is bad on purpose: a process that moves packets between two tun devices.

The kernel at hand may lack ``tc netem``, so delay, loss, reordering, duplication, a narrow pipe, a
cut and a black hole for large packets are done here, for every protocol over IP. It is run as a
process of its own (standard library only), ends when its control pipe is closed, and takes one
JSON request per line: ``shape``, ``cut``, ``until``, ``counts``.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import random
import select
import sys
import time
from dataclasses import dataclass, field
from typing import Any

_DONT_FRAGMENT, _MORE = 0x40, 0x20
_BATCH = 64
"""Packets taken from one side before the other side and the clock are looked at again."""


@dataclass
class Shape:
    """How a link treats packets in one direction: seconds, shares from 0 to 1, bytes."""

    delay: float = 0.0
    jitter: float = 0.0
    "Added to the delay, evenly between 0 and this; order is kept."
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    "Share of the packets that come late, after those sent behind them."
    late: float = 0.02
    "How late those are."
    rate: float = 0.0
    "Bytes a second; 0 is as fast as it goes."
    queue: float = 0.1
    "Seconds of traffic that wait at a narrow link before packets are dropped."
    mtu: int = 0
    "As of a router that sends no ICMP: larger packets are split, or vanish if they may not be."
    hole: int = 0
    "Packets larger than this vanish, whatever they allow."


@dataclass
class Counts:
    """What went through in one direction."""

    packets: int = 0
    bytes: int = 0
    dropped: int = 0
    "By loss, a full queue or a cut."
    too_large: int = 0


@dataclass
class Way:
    """One direction: from one device to the other."""

    source: int
    target: int
    shape: Shape = field(default_factory=Shape)
    counts: Counts = field(default_factory=Counts)
    free_at: float = 0.0
    last_due: float = 0.0


class Emulator:
    """Two directions, a heap of packets on their way, and requests from the pipe."""

    def __init__(self, left: int, right: int, seed: int) -> None:
        self._ways = [Way(left, right), Way(right, left)]
        self._by_source = {way.source: way for way in self._ways}
        self._random = random.Random(seed)
        self._flying: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._cut_until = 0.0
        self._waiting: list[tuple[int, Any]] = []
        self._line = b""

    def run(self) -> None:
        """Move packets until standard input is closed."""
        while True:
            now = time.monotonic()
            wait = None if not self._flying else max(0.0, self._flying[0][0] - now)
            ready, _, _ = select.select([*self._by_source, 0], [], [], wait)
            for source in ready:
                if source == 0:
                    if not self._requests():
                        return
                else:
                    self._take(self._by_source[source])
            self._deliver(time.monotonic())

    def _take(self, way: Way) -> None:
        for _ in range(_BATCH):
            try:
                packet = os.read(way.source, 65536)
            except BlockingIOError:
                return
            except OSError:
                return
            self._send(way, packet, time.monotonic())

    def _send(self, way: Way, packet: bytes, now: float) -> None:
        shape, counts, chance = way.shape, way.counts, self._random.random
        if shape.mtu and len(packet) > shape.mtu:
            if packet[0] >> 4 != 4 or packet[6] & _DONT_FRAGMENT:
                counts.too_large += 1
            else:
                for piece in fragments(packet, shape.mtu):
                    self._send(way, piece, now)
            return
        if shape.hole and len(packet) > shape.hole:
            counts.too_large += 1
            return
        if now < self._cut_until or (shape.loss and chance() < shape.loss):
            counts.dropped += 1
            return
        leaves = now
        if shape.rate:
            leaves = max(now, way.free_at)
            if leaves - now > shape.queue:
                counts.dropped += 1
                return
            leaves = way.free_at = leaves + len(packet) / shape.rate
        due = leaves + shape.delay + (chance() * shape.jitter if shape.jitter else 0.0)
        if shape.reorder and chance() < shape.reorder:
            due += shape.late
        else:
            due = way.last_due = max(due, way.last_due)
        counts.packets += 1
        counts.bytes += len(packet)
        self._fly(due, way.target, packet)
        if shape.duplicate and chance() < shape.duplicate:
            self._fly(due, way.target, packet)
        if self._waiting:
            self._tell_waiting()

    def _fly(self, due: float, target: int, packet: bytes) -> None:
        self._number += 1
        heapq.heappush(self._flying, (due, self._number, target, packet))

    def _deliver(self, now: float) -> None:
        flying = self._flying
        while flying and flying[0][0] <= now:
            _, _, target, packet = heapq.heappop(flying)
            with contextlib.suppress(OSError):  # the device is down or its queue is full
                os.write(target, packet)

    def _requests(self) -> bool:
        data = os.read(0, 65536)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._answer(json.loads(line))
        return bool(data)

    def _answer(self, request: dict[str, Any]) -> None:
        verb = request["do"]
        if verb == "until":
            self._waiting.append((request["bytes"], request["id"]))
            self._tell_waiting()
            return
        if verb == "shape":
            for way, shape in zip(self._ways, request["shapes"], strict=True):
                way.shape = Shape(**shape)
        elif verb == "cut":
            self._cut_until = time.monotonic() + request["seconds"]
        _print({"id": request["id"], "counts": [vars(way.counts) for way in self._ways]})

    def _tell_waiting(self) -> None:
        passed = sum(way.counts.bytes for way in self._ways)
        still = [waiting for waiting in self._waiting if waiting[0] > passed]
        for limit, number in self._waiting:
            if limit <= passed:
                _print({"id": number, "counts": [vars(way.counts) for way in self._ways]})
        self._waiting = still


def fragments(packet: bytes, mtu: int) -> list[bytes]:
    """An IPv4 packet in pieces of at most ``mtu`` bytes."""
    head = (packet[0] & 15) * 4
    body, most = packet[head:], (mtu - head) // 8 * 8
    first = int.from_bytes(packet[6:8], "big")
    pieces = []
    for start in range(0, len(body), most):
        piece = body[start : start + most]
        place = first + start // 8
        if start + most < len(body):
            place |= _MORE << 8
        header = bytearray(packet[:head])
        header[2:4] = (head + len(piece)).to_bytes(2, "big")
        header[6:8] = place.to_bytes(2, "big")
        header[10:12] = b"\0\0"
        header[10:12] = _checksum(header).to_bytes(2, "big")
        pieces.append(bytes(header) + piece)
    return pieces


def _checksum(header: bytes | bytearray) -> int:
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    first, second, number = map(int, sys.argv[1:])
    os.set_blocking(first, False)
    os.set_blocking(second, False)
    Emulator(first, second, number).run()
