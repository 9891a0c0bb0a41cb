"""What one turn sends: small messages gathered into few frames, large ones left alone (S5-22).

Everything queued within a turn of the event loop leaves as one batch message, or as the plain
message when it was only one. A large body goes out as a message of its own, so that it is copied
only once, into the frame that is sealed. The order of all messages is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from holdfast.encoding import Buffer, encode_uint

Parts: TypeAlias = Sequence[Buffer]
"""The pieces of one message of the connection, to be written end to end."""

LARGE_BODY = 16 * 1024
"""From here a frame of its own costs less than a copy into a batch."""

BATCH_BYTES = 64 * 1024
"""A batch is closed at this size: the other side handles it as one, and should get to start."""

_BATCH = b"\x00\x00"
_SWITCH = b"\x00"
_OVERHEAD = 4
"""What a message costs beside its body, about: its length, its type, now and then a channel."""


class Outbox:
    """Queue of messages ``(channel, type, body)`` that leave as few connection messages."""

    __slots__ = ("_bytes", "_channel", "_count", "_done", "_parts", "queued")

    def __init__(self) -> None:
        self.queued = 0
        """Bytes waiting here, about."""
        self._done: list[Parts] = []
        self._start()

    def _start(self) -> None:
        self._parts: list[Buffer] = []
        self._count = 0
        self._bytes = 0
        self._channel = -1

    def __bool__(self) -> bool:
        """Whether anything is queued."""
        return bool(self._count or self._done)

    def add(self, channel: int, head: bytes, body: Parts, size: int) -> None:
        """Queue a message: ``head`` is its type, ``size`` the length of ``body`` in bytes."""
        self.queued += size + _OVERHEAD
        if size >= LARGE_BODY:
            self._finish()
            self._done.append((encode_uint(channel), head, *body))
            return
        parts = self._parts
        if channel != self._channel:
            if self._channel >= 0:
                parts.append(_SWITCH)
            parts.append(encode_uint(channel))
            self._channel = channel
        parts.append(encode_uint(len(head) + size))
        parts.append(head)
        parts.extend(body)
        self._count += 1
        self._bytes += size
        if self._bytes >= BATCH_BYTES:
            self._finish()

    def _finish(self) -> None:
        """Close the batch being gathered."""
        parts = self._parts
        if not self._count:
            return
        if self._count == 1:
            del parts[1]  # the length: a message alone goes without
        else:
            parts.insert(0, _BATCH)
        self._done.append(parts)
        self._start()

    def take(self) -> list[Parts]:
        """Everything queued, as connection messages in order."""
        self._finish()
        done, self._done = self._done, []
        self.queued = 0
        return done
