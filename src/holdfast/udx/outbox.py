"""Bytes waiting to leave, cut into payloads as packets come to be sent."""

from __future__ import annotations

from collections import deque

from holdfast.udx.packet import Buffer


class Outbox:
    """What the application has written and no packet holds yet."""

    __slots__ = ("_chunks", "_head", "_offset", "ending", "size")

    def __init__(self) -> None:
        self.size = 0
        """Bytes waiting."""
        self.ending = False
        """Whether the end follows them."""
        self._chunks: deque[bytes] = deque()
        self._head = memoryview(b"")
        self._offset = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        if data:
            self._chunks.append(data)
            self.size += len(data)

    def take(self, most: int) -> Buffer:
        """The next payload, of ``most`` bytes or all that is left; it is not copied if possible."""
        head, start = self._head, self._offset
        end = start + most
        if end <= len(head):
            self._offset = end
            self.size -= most
            return head[start:end]
        return self._take_across(most)

    def _take_across(self, most: int) -> Buffer:
        parts, wanted = [], most
        while wanted:
            part = self._head[self._offset : self._offset + wanted]
            if part:
                parts.append(part)
                wanted -= len(part)
                self._offset += len(part)
            elif self._chunks:
                self._head, self._offset = memoryview(self._chunks.popleft()), 0
            else:
                break
        self.size -= most - wanted
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self) -> None:
        """Drop everything."""
        self._chunks.clear()
        self._head, self._offset, self.size = memoryview(b""), 0, 0
