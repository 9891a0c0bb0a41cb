"""One conversation inside a connection: a protocol, an id, and messages numbered by type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from holdfast.encoding import Buffer

if TYPE_CHECKING:
    from holdfast.wire.mux import Mux

Handler: TypeAlias = Callable[[memoryview], None]
"""Takes the body of one message. It stays valid, but keeping it keeps the whole frame in memory."""

Body: TypeAlias = Buffer | Sequence[Buffer]
"""A message body, or the pieces of one. Pieces must not change until the turn's `Mux.to_send`."""


def _ignore_open(handshake: memoryview) -> None:
    """Stand-in where nobody wants to know."""


def _ignore_close(remote: bool) -> None:
    """Stand-in where nobody wants to know."""


def _ignore_drain() -> None:
    """Stand-in where nobody wants to know."""


class Channel:
    """Made by `Mux.channel`; speaks from `open` until `close` or until the other side closes.

    Messages may be sent right after `open`, before the other side has opened: it keeps them until
    it does (up to 32 KiB, so send little). Callbacks are plain attributes and may be replaced.
    """

    __slots__ = (
        "_mux",
        "closed",
        "handlers",
        "id",
        "local_id",
        "on_close",
        "on_drain",
        "on_open",
        "opened",
        "protocol",
        "remote_id",
        "user_data",
    )

    def __init__(
        self,
        mux: Mux,
        protocol: str,
        id: bytes,
        handlers: Sequence[Handler | None],
        on_open: Callable[[memoryview], None] | None,
        on_close: Callable[[bool], None] | None,
        on_drain: Callable[[], None] | None,
    ) -> None:
        self.protocol = protocol
        self.id = id
        self.handlers: Sequence[Handler | None] = handlers
        """By message type; a type without a handler is ignored."""
        self.on_open: Callable[[memoryview], None] = on_open or _ignore_open
        """Called once with the other side's handshake when both sides have opened."""
        self.on_close: Callable[[bool], None] = on_close or _ignore_close
        """Called once, with whether the other side (or the end of the connection) closed it."""
        self.on_drain: Callable[[], None] = on_drain or _ignore_drain
        """Called when `Mux.drained` becomes true again."""
        self.opened = False
        """Both sides have opened, and it is not closed."""
        self.closed = False
        self.local_id = 0
        self.remote_id = 0
        self.user_data: object = None
        """Whatever the owner wants to find again."""
        self._mux = mux

    @property
    def drained(self) -> bool:
        """Whether the connection takes more now (see `Mux.drained`)."""
        return self._mux.drained

    def open(self, handshake: Buffer = b"") -> None:
        """Offer the channel to the other side; once only."""
        self._mux._open(self, handshake)

    def send(self, type: int, body: Body = b"") -> bool:
        """Queue one message for this turn's `Mux.to_send`; False when the channel is closed.

        Never refuses for being full: who sends much looks at `drained` and waits for `on_drain`.
        """
        if self.closed or self.local_id == 0:
            return False
        self._mux._send(self.local_id, type, body)
        return True

    def close(self) -> None:
        """End the conversation; messages that still arrive are ignored. Idempotent."""
        self._mux._close(self)
