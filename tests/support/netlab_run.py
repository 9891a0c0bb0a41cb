"""Programs on the hosts of a laboratory: what they say, how much memory they took, how they end."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any

from tests.support.netlab import Host

REPO = Path(__file__).resolve().parents[2]
PATIENCE = 90.0
"""Seconds after which a program that says nothing is a failed test."""
_LOOK = 0.05
"""Seconds between two looks at a program's memory: its peak cannot be read once it has ended."""

Event = dict[str, Any]


class Program:
    """A process on a host that prints JSON objects, one a line, each with an ``event``."""

    def __init__(self, host: Host, *command: str | Path) -> None:
        self.host = host
        self.seen: list[Event] = []
        self.peak = 0
        """Bytes of memory at most so far, as the kernel counts (VmHWM)."""
        self._errors = (host.home / f"errors-{time.monotonic_ns()}").open("w+")
        self.process: subprocess.Popen[str] = host.popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=host.environment,
            cwd=REPO,
            text=True,
        )
        self._lines: Queue[str | None] = Queue()
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._read, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def event(self, *names: str, within: float = PATIENCE) -> Event:
        """The next event with one of these names; others before it are passed over."""
        end = time.monotonic() + within
        while True:
            found = self._next(end)
            if found is None:
                raise AssertionError(f"no event {names}; {self.story()}")
            if found.get("event") in names:
                return found

    def wait(self, within: float = PATIENCE) -> int:
        """Its exit status, once it has ended by itself; all it said is in ``seen``."""
        end = time.monotonic() + within
        while self._next(end) is not None:
            pass
        try:
            return self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"goes on after {within} s; {self.story()}") from None

    def stop(self, within: float = 20.0) -> int:
        """Ask it to end as Ctrl-C does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.wait(within)

    def errors(self) -> str:
        """What it wrote on standard error so far."""
        self._errors.flush()
        return Path(self._errors.name).read_text()

    def story(self) -> str:
        """What it did, for whoever has to find out why a test failed."""
        lines = [json.dumps(each)[:300] for each in self.seen[-20:]]
        state = self.process.poll()
        return "\n".join([f"{self.host.name}, status {state}", *lines, self.errors()[-3000:]])

    def close(self) -> None:
        """Leave nothing running."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    def _next(self, end: float) -> Event | None:
        """What it says next; None at its end, or when it is too late."""
        try:
            line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
        except Empty:
            return None
        if line is None:
            self._lines.put(None)
            return None
        try:
            found: Event = json.loads(line)
        except ValueError:
            found = {"event": "text", "text": line}
        self.seen.append(found)
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _watch(self) -> None:
        status = Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                field = status.read_text().split("VmHWM:")[1].split()[0]
                self.peak = max(self.peak, int(field) * 1024)
            time.sleep(_LOOK)


def holdfast(host: Host, *arguments: str | Path) -> Program:
    """The command line on a host, with ``--json``."""
    return Program(host, sys.executable, "-m", "holdfast", "--json", *arguments)


@contextlib.contextmanager
def together(*starts: Callable[[], Program]) -> Iterator[list[Program]]:
    """Several programs, one after the other; all are ended by the block, the last one first."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(start()) for start in starts]
