"""What this machine can do at most, measured in the same run as the jobs."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from holdfast.crypto import PullStream, PushStream, blake2b

BLOCK = 65536
HASH_UNIT = 128  # bytes that one BLAKE2b compression takes: a 100 byte leaf, or a parent


@dataclass(frozen=True)
class Limits:
    """Rates of the parts that a job cannot do without; its limit is the slowest it needs."""

    hash_mb: float
    cipher_mb: float
    disk_mb: float
    fsyncs_per_second: float
    preads_per_second: float
    loopback_mb: float
    round_trip_ms: float

    def write(self) -> float:
        """MB/s of bytes that are hashed and written."""
        return min(self.hash_mb, self.disk_mb)

    def transfer(self) -> float:
        """MB/s of bytes that are sealed, sent, opened, hashed and written."""
        return min(self.hash_mb, self.cipher_mb, self.disk_mb, self.loopback_mb)

    def raw_stream(self) -> float:
        """MB/s of bytes that are sent, and nothing else."""
        return self.loopback_mb

    def small_blocks(self) -> float:
        """Blocks of 100 bytes per second: a leaf and a parent are one compression each."""
        return self.hash_mb * 1e6 / (2 * HASH_UNIT)

    def durable_64(self) -> float:
        """Durable appends per second with 64 writers sharing each flush."""
        return min(64 * self.fsyncs_per_second, self.small_blocks())

    def small_files(self) -> float:
        """Files of 4 KiB per second, when only their bytes and one tree block each are written."""
        return self.write() * 1e6 / (4096 + 512)

    def reads(self) -> float:
        """Small reads from a file that is in the page cache, per second."""
        return self.preads_per_second

    def round_trip(self) -> float:
        """Milliseconds for one byte there and back over TCP on this machine."""
        return self.round_trip_ms


def measure(directory: Path, size: int) -> Limits:
    """Measures every rate with `size` bytes; files go under `directory`."""
    return Limits(
        hash_mb=_hash(size),
        cipher_mb=_cipher(size),
        disk_mb=_disk(directory, size),
        fsyncs_per_second=_fsyncs(directory),
        preads_per_second=_preads(directory),
        loopback_mb=_loopback(size),
        round_trip_ms=_round_trip(),
    )


def _hash(size: int) -> float:
    data = os.urandom(BLOCK)
    start = time.perf_counter()
    for _ in range(size // BLOCK):
        blake2b(data)
    return size / 1e6 / (time.perf_counter() - start)


def _cipher(size: int) -> float:
    """One side's share: sealing and opening run in two processes at once."""
    data = os.urandom(BLOCK)
    push = PushStream(bytes(32))
    pull = PullStream(bytes(32), push.header)
    sealed = [push.push(data) for _ in range(16)]
    for message in sealed:
        pull.pull(message)
    start = time.perf_counter()
    for _ in range(size // BLOCK):
        push.push(data)
    return size / 1e6 / (time.perf_counter() - start)


def _disk(directory: Path, size: int) -> float:
    chunk = os.urandom(1024 * 1024)
    with tempfile.NamedTemporaryFile(dir=directory, buffering=0) as file:
        start = time.perf_counter()
        for _ in range(max(1, size // len(chunk))):
            file.write(chunk)
        os.fsync(file.fileno())
        return max(1, size // len(chunk)) * len(chunk) / 1e6 / (time.perf_counter() - start)


def _fsyncs(directory: Path, count: int = 100) -> float:
    chunk = os.urandom(4096)
    with tempfile.NamedTemporaryFile(dir=directory, buffering=0) as file:
        start = time.perf_counter()
        for _ in range(count):
            file.write(chunk)
            os.fdatasync(file.fileno())
        return count / (time.perf_counter() - start)


def _preads(directory: Path, count: int = 20_000) -> float:
    with tempfile.NamedTemporaryFile(dir=directory, buffering=0) as file:
        file.write(os.urandom(1024 * 1024))
        start = time.perf_counter()
        for number in range(count):
            os.pread(file.fileno(), 200, number * 48271 % (1024 * 1024 - 200))
        return count / (time.perf_counter() - start)


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def _loopback(size: int) -> float:
    near, far = _connected()
    chunk = bytes(BLOCK)

    def send() -> None:
        for _ in range(size // BLOCK):
            near.sendall(chunk)
        near.close()

    sender = threading.Thread(target=send)
    start = time.perf_counter()
    sender.start()
    buffer = bytearray(4 * BLOCK)
    total = 0
    while got := far.recv_into(buffer):
        total += got
    elapsed = time.perf_counter() - start
    sender.join()
    far.close()
    return total / 1e6 / elapsed


def _round_trip(count: int = 1000) -> float:
    near, far = _connected()

    def echo() -> None:
        while data := far.recv(1):
            far.sendall(data)

    echoer = threading.Thread(target=echo)
    echoer.start()
    start = time.perf_counter()
    for _ in range(count):
        near.sendall(b"x")
        near.recv(1)
    elapsed = time.perf_counter() - start
    near.close()
    echoer.join()
    far.close()
    return elapsed / count * 1000
