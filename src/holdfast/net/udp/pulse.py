"""When a stream gets its turn: soon after its user did something, and when its time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from holdfast.udx import Stream

TIMER_SLACK = 0.0005
"""Seconds that a timer may be late: setting it anew costs more than it gains."""


class Pulse:
    """Lends a state machine the loop's clock; at most one turn and one timer are waiting."""

    __slots__ = ("_due", "_flush", "_loop", "_stopped", "_stream", "_timer", "_timer_at")

    def __init__(self, stream: Stream, flush: Callable[[], None]) -> None:
        """``flush()`` is a turn."""
        self._loop = asyncio.get_running_loop()
        self._stream, self._flush = stream, flush
        self._due = self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def wake(self) -> None:
        """Have a turn at the end of this one of the loop."""
        if not self._due:
            self._due = True
            self._loop.call_soon(self._on_turn)

    def arm(self) -> None:
        """Have a turn when the stream says so; one that comes too early does no harm."""
        due = self._stream.deadline()
        if due is None or self._stopped:
            return
        if self._timer is None or due < self._timer_at - TIMER_SLACK:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = self._loop.call_at(due, self._on_timer)

    def stop(self) -> None:
        """No more timers."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_turn(self) -> None:
        self._due = False
        self._flush()

    def _on_timer(self) -> None:
        self._timer = None
        self._stream.on_deadline(self._loop.time())
        self._flush()
