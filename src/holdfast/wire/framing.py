"""Frames of a byte stream: a u24le length before each body (wire notes 4.4).

Whole frames are handed out as views of the chunk they came in; only the unfinished last one is
kept, and it grows with the bytes that really arrive, never with what its length promises.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.crypto import Buffer
from holdfast.errors import DecodeError

LENGTH_BYTES = 3
MAX_FRAME = (1 << 24) - 1


def frame(body: Buffer) -> bytes:
    """``body`` behind its length; ValueError above `MAX_FRAME`."""
    if len(body) > MAX_FRAME:
        raise ValueError("a frame holds at most 2**24 - 1 bytes")
    return b"".join((len(body).to_bytes(LENGTH_BYTES, "little"), body))


class FrameReader:
    """Cuts a stream, chopped at arbitrary places, into frames."""

    __slots__ = ("_partial", "limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self.limit = limit
        """The longest body accepted from now on; may change between two frames."""
        self._partial = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of the unfinished frame held here."""
        return len(self._partial)

    def split(self, chunk: Buffer) -> Iterator[memoryview]:
        """The bodies completed by ``chunk``; each view is valid until the next one is asked for.

        Iterate to the end, or never use the reader again. DecodeError when a length is above the
        limit, before anything of that body is kept.
        """
        view = memoryview(chunk)
        position = 0
        if self._partial:
            position = self._complete(view)
            if position < 0:
                return
            body, self._partial = memoryview(self._partial)[LENGTH_BYTES:], bytearray()
            yield body
        size = len(view)
        while size - position >= LENGTH_BYTES:
            start = position + LENGTH_BYTES
            end = start + self._length(view, position)
            if end > size:
                break
            yield view[start:end]
            position = end
        if position < size:
            self._partial += view[position:]

    def _complete(self, view: memoryview) -> int:
        """Feed the unfinished frame; returns how much it took, -1 when it is still unfinished."""
        partial = self._partial
        taken = 0
        if len(partial) < LENGTH_BYTES:
            taken = LENGTH_BYTES - len(partial)
            partial += view[:taken]
            if len(partial) < LENGTH_BYTES:
                return -1
        missing = LENGTH_BYTES + self._length(partial, 0) - len(partial)
        partial += view[taken : taken + missing]
        return taken + missing if taken + missing <= len(view) else -1

    def _length(self, data: bytearray | memoryview, position: int) -> int:
        length: int = data[position] | data[position + 1] << 8 | data[position + 2] << 16
        if length > self.limit:
            raise DecodeError(
                f"A frame of {length} bytes is announced where {self.limit} may come."
            )
        return length
