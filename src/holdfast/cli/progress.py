"""Progress of bytes: a bar on a terminal, events with ``--json``, silence otherwise."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.cli.ui import UI

EVENT_INTERVAL = 0.5
"""Seconds between two progress events at least (design section 4)."""
RATE_WINDOW = 5.0
"""Seconds over which the rate is averaged: long enough to be calm, short enough to be true."""


class Rate:
    """Bytes per second over the last few seconds."""

    def __init__(self, window: float = RATE_WINDOW) -> None:
        self.window = window
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, done: int, now: float) -> float:
        """Note how many bytes are done in all by now; returns the rate."""
        samples = self._samples
        samples.append((now, done))
        while len(samples) > 2 and now - samples[1][0] >= self.window:
            samples.popleft()
        seconds = now - samples[0][0]
        return (done - samples[0][1]) / seconds if seconds > 0 else 0.0


class Progress:
    """A context manager: `update` as often as you like, `say` a line above the bar."""

    def __init__(
        self, ui: UI, what: str, total: int = 0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ui, self.what, self.total, self.done = ui, what, total, 0
        self._clock = clock
        self._rate = Rate()
        self._last = clock()
        self._rate.update(0, self._last)
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if self.ui.terminal:
            self._start_bar()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def update(self, done: int, total: int | None = None) -> None:
        """``done`` bytes of ``total`` are there."""
        self.done = done
        self.total = max(self.total if total is None else total, done)
        now = self._clock()
        if now - self._last < EVENT_INTERVAL:
            return
        self._last = now
        rate = self._rate.update(done, now)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self.total)
        self.ui.event(
            "progress",
            what=self.what,
            bytes=done,
            total=self.total,
            rate=round(rate),
            eta=round((self.total - done) / rate, 1) if rate > 0 else None,
        )

    def _start_bar(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(binary_units=True),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(self.what, total=self.total or None)
        self._bar.start()
