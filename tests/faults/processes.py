"""Starting and killing workers quickly: forked from a server that has everything imported."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults import worker
from tests.faults.worker import Ack, read_acks

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.worker"])


class Worker:
    """A running `worker.run`, and what it has acknowledged."""

    def __init__(self, directory: Path, seed: int, *, power: bool, acks: list[Ack]) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self.acks: list[Ack] = []
        connection = multiprocessing.connection.Connection(write)
        self.process: BaseProcess = _context.Process(
            target=_target, args=(str(directory), seed, connection, power, acks), daemon=True
        )
        self.process.start()
        connection.close()

    def collect(self) -> list[Ack]:
        """Take in what has been acknowledged by now."""
        self.acks += read_acks(self._read)
        return self.acks

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    def kill(self) -> list[Ack]:
        """kill -9; returns everything it was ever told is safe."""
        self.process.kill()
        self.process.join()
        self.collect()
        os.close(self._read)
        return self.acks


def _target(
    directory: str,
    seed: int,
    connection: multiprocessing.connection.Connection,
    power: bool,
    acks: list[Ack],
) -> None:
    worker.run(directory, seed, connection.fileno(), power, acks)
