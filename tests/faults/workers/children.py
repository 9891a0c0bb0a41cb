"""Children that can be killed: forked from a warm server, they report over a pipe line by line."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import select
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "tests.faults.worker",
        "tests.faults.workers.appending",
        "tests.faults.workers.mirroring",
        "tests.faults.workers.receiving",
        "tests.faults.workers.sharing",
        "tests.faults.workers.showing",
    ]
)

CYCLES = int(os.environ.get("HOLDFAST_CYCLES") or (300 if os.environ.get("CI") else 40))
"""How often a child is killed in each test."""

PATIENCE = 60.0
"""Seconds to wait for a report before the test fails: far more than any of them takes."""

Line = dict[str, Any]
Main = Callable[..., Awaitable[None]]


class Report:
    """The child's end: each call sends one line, which arrives even when the sender dies."""

    def __init__(self, connection: multiprocessing.connection.Connection) -> None:
        self._connection = connection
        self._fd = connection.fileno()

    def __call__(self, what: str, **fields: Any) -> None:
        line = json.dumps({"what": what, "at": time.monotonic(), **fields}).encode() + b"\n"
        assert len(line) <= select.PIPE_BUF, "a line is written whole or not at all"
        os.write(self._fd, line)

    def closed(self) -> bool:
        """Whether nobody listens any more."""
        poll = select.poll()
        poll.register(self._fd, select.POLLERR)
        return bool(poll.poll(0))


class Child:
    """A running ``main(report, *arguments)`` and what it has reported."""

    def __init__(self, main: Main, *arguments: Any, state: Path | None = None) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self._rest = b""
        self.lines: list[Line] = []
        connection = multiprocessing.connection.Connection(write)
        self.process = _context.Process(
            target=_run, args=(main, connection, arguments, state), daemon=True
        )
        self.process.start()
        connection.close()

    def collect(self) -> list[Line]:
        """Take in what was reported by now; returns all lines so far."""
        while True:
            try:
                piece = os.read(self._read, 1 << 16)
            except BlockingIOError:
                break
            if not piece:
                break
            *whole, self._rest = (self._rest + piece).split(b"\n")
            self.lines += map(json.loads, whole)
        return self.lines

    def said(self, what: str) -> list[Line]:
        """All lines of one kind so far."""
        return [line for line in self.collect() if line["what"] == what]

    @property
    def last(self) -> str:
        """What it said last ('' when nothing), as far as collected."""
        return str(self.lines[-1]["what"]) if self.lines else ""

    def wait_for(self, what: str, seconds: float = PATIENCE) -> Line:
        """The first line of that kind; AssertionError when the child ends or is too slow."""
        deadline = time.monotonic() + seconds
        while not (found := self.said(what)):
            ended = not self.process.is_alive()
            if ended and not self.said(what):
                raise AssertionError(f"the child ended before {what!r}, see its output")
            assert time.monotonic() < deadline, f"no {what!r} within {seconds} seconds"
            select.select([self._read], [], [], 0.1 if not ended else 0)
        return found[0]

    def kill(self) -> list[Line]:
        """kill -9; returns everything it ever reported."""
        self.process.kill()
        return self.finish()

    def finish(self) -> list[Line]:
        """Wait until it ends by itself; returns everything it ever reported."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "the child does not end"
        self.collect()
        os.close(self._read)
        return self.lines

    @property
    def exitcode(self) -> int | None:
        return self.process.exitcode


def _run(
    main: Main,
    connection: multiprocessing.connection.Connection,
    arguments: tuple[Any, ...],
    state: Path | None,
) -> None:
    if state is not None:
        os.environ["HOLDFAST_STATE"] = str(state)
    asyncio.run(main(Report(connection), *arguments))
