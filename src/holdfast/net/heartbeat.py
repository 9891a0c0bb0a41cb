"""Time for a secret stream: keep-alives go out, handshakes and silences run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from holdfast.errors import HoldfastError
from holdfast.wire import SecretStream


class Heartbeat:
    """Calls a stream's `on_deadline` when it is due, on the loop's clock."""

    __slots__ = ("_beat", "_deaf", "_fail", "_loop", "_stream", "_timer")

    def __init__(
        self,
        stream: SecretStream,
        *,
        beat: Callable[[], None],
        fail: Callable[[HoldfastError], None],
        deaf: Callable[[], bool],
    ) -> None:
        """``beat`` sends what the stream has to say, ``fail`` gets why it is over.

        While ``deaf()`` is true we do not read, so the other side's silence is no sign of death.
        """
        self._loop = asyncio.get_running_loop()
        self._stream, self._beat, self._fail, self._deaf = stream, beat, fail, deaf
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, or look again when the next call is due."""
        self.stop()
        due = self._stream.deadline()
        if due is not None:
            self._timer = self._loop.call_at(due, self._due)

    def stop(self) -> None:
        """No more calls."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """The other side counts as heard from now."""
        if not self._stream.closed:
            self._stream.receive(b"", self._loop.time())

    def _due(self) -> None:
        self._timer = None
        if self._deaf():
            self.heard()
        try:
            self._stream.on_deadline(self._loop.time())
        except HoldfastError as error:
            self._fail(error)
            return
        self._beat()
        self.start()
