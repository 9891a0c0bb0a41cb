"""A process that writes to a store until it is killed, and says what it was told is safe.

Every block says which log, index and fork it is, so that whoever reads it later knows whether it is
the right one.
"""

from __future__ import annotations

import asyncio
import os
import random
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import StoreError
from holdfast.hypercore.backend import Backend, Change
from holdfast.storage import DirectoryStorage, checkpoint, open_storage
from tests.storage.logs import Writer, check_log, read_block

LOGS = [bytes([number]) * 32 for number in range(3)]
_ACK = struct.Struct("<BxxxIQ")
_LABEL = struct.Struct("<BxxxIQI")
SETTING = 255
"""Log number in an ack that stands for the setting."""


class Ack(NamedTuple):
    """The store said that this log (or the setting) has got this far."""

    log: int
    fork: int
    length: int


def block(log: int, fork: int, index: int, size: int) -> bytes:
    """The block that a writer of this log would write there."""
    label = _LABEL.pack(log, fork, index, size)
    return (label * (size // len(label) + 1))[: max(size, len(label))]


def check_block(data: bytes, log: int, fork: int, index: int) -> None:
    """It is a block of that log and index, written on this fork or one before."""
    found_log, found_fork, found_index, size = _LABEL.unpack_from(data)
    assert (found_log, found_index) == (log, index)
    assert found_fork <= fork
    assert data == block(log, found_fork, index, size)


def check_store(storage: DirectoryStorage, acks: Iterable[Ack]) -> dict[int, Ack]:
    """What was acknowledged is there, and all that is there is right; returns where logs end."""
    wanted: dict[int, Ack] = {}
    for ack in acks:
        wanted[ack.log] = max(wanted.get(ack.log, ack), ack)
    found = {}
    for number, key in enumerate(LOGS):
        backend = storage.core(key)
        found[number] = reached = _check_log(backend, number)
        if number in wanted:
            assert reached.fork >= wanted[number].fork
            if reached.fork == wanted[number].fork:
                assert reached.length >= wanted[number].length, (reached, wanted[number])
    if SETTING in wanted:
        assert int(storage.get_setting("count") or 0) >= wanted[SETTING].length
    return found


def _check_log(backend: Backend, number: int) -> Ack:
    head = backend.head
    if head is None:
        return Ack(number, 0, 0)
    blocks = [read_block(backend, index) for index in range(head.length)]
    for index, data in enumerate(blocks):
        check_block(data, number, head.fork, index)
    check_log(backend, blocks, head.fork)
    return Ack(number, head.fork, head.length)


class Report:
    """Sends acks through a pipe; they arrive even when the sender is dead."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, ack: Ack) -> None:
        os.write(self._fd, _ACK.pack(*ack))


def read_acks(fd: int) -> list[Ack]:
    """What is in the pipe now."""
    data = b""
    while True:
        try:
            piece = os.read(fd, 1 << 16)
        except BlockingIOError:
            break
        if not piece:
            break
        data += piece
    whole = len(data) // _ACK.size * _ACK.size
    return [Ack(*fields) for fields in _ACK.iter_unpack(data[:whole])]


def run(directory: str, seed: int, fd: int, power: bool, acks: list[Ack]) -> None:
    """Check the store, then write for ever."""
    # Small limits, so that a short life meets many checkpoints.
    checkpoint.MAX_JOURNAL = 200_000
    checkpoint.MAX_PENDING = 300
    asyncio.run(_run(Path(directory), random.Random(seed), Report(fd), power, acks))


async def _run(
    directory: Path, chance: random.Random, report: Report, power: bool, acks: list[Ack]
) -> None:
    storage = open_storage(directory / "store", state=directory / "state")
    check_store(storage, acks)
    report.send(Ack(SETTING, 0, int(storage.get_setting("count") or 0)))
    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(len(LOGS)):
                tasks.create_task(_write(storage, number, chance, report, power))
    except* StoreError:
        os._exit(0)  # the power is gone: the disk answers no more


async def _write(
    storage: DirectoryStorage, number: int, chance: random.Random, report: Report, power: bool
) -> None:
    writer = Writer(storage.core(LOGS[number], own=True))
    while True:
        action = chance.random()
        if writer.length > 400 or (action < 0.03 and writer.length > 20):
            keep = chance.randrange(20)
            ticket = writer.truncate(min(keep, writer.length))
        elif action < 0.05:
            count = int(storage.get_setting("count") or 0) + 1
            storage.set_setting("count", b"%d" % count)
            report.send(Ack(SETTING, 0, count))
            continue
        elif action < 0.08:
            ticket = writer.backend.write(Change(manifest=b"%d" % writer.length), durable=True)
        else:
            size, count = chance.choice([(30, 1), (30, 1), (500, 3), (100, 40), (20000, 4)])
            start = writer.length
            blocks = [block(number, writer.fork, start + i, size) for i in range(count)]
            ticket = writer.append(*blocks, durable=True)
        reached = Ack(number, writer.fork, writer.length)
        if power:
            await storage.sync(ticket)
        report.send(reached)
        await asyncio.sleep(0)
