"""Runs the command line as people do: in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NamedTuple

COMMAND = [sys.executable, "-m", "holdfast"]
PATIENCE = 60
"""Seconds after which a process that says nothing is a failed test."""


class Ran(NamedTuple):
    """How a run ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, str]:
        """The error object: the last line of standard error."""
        parsed: dict[str, str] = json.loads(self.err.splitlines()[-1])
        return parsed


def holdfast(*arguments: str | Path, **options: Any) -> Ran:
    """Run to the end; ``input`` (text) goes to standard input."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **{"stdin": subprocess.DEVNULL} | options if "input" not in options else options,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Running:
    """A process that goes on; what it prints with ``--json`` is read as events."""

    def __init__(self, *arguments: str | Path, **options: Any) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--json", *map(str, arguments)],
            **options,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.seen: list[dict[str, Any]] = []
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def event(self, name: str) -> dict[str, Any]:
        """The next event of that name; others before it are passed over."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {name!r} event; so far {self.seen}") from None
            if line is None:
                raise AssertionError(f"ended before {name!r}: {self.seen} {self.errors()}")
            found: dict[str, Any] = json.loads(line)
            self.seen.append(found)
            if found["event"] == name:
                return found

    def errors(self) -> str:
        """What it printed on standard error, once it has ended."""
        assert self.process.stderr is not None
        self.process.wait(PATIENCE)
        return self.process.stderr.read()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Leave nothing running."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextlib.contextmanager
def running(*arguments: str | Path, **options: Any) -> Iterator[Running]:
    """A process that is gone at the end of the block; ``options`` as those of `Popen`."""
    process = Running(*arguments, **options)
    try:
        yield process
    finally:
        process.close()


def alive(pid: int) -> bool:
    """Whether a process is still there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
