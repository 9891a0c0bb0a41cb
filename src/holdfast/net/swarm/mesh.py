"""Which of many peers of a topic belong together when each may have only a few connections.

Everybody stands on a ring, at the hash of the topic and their key, and holds on to the nearest on
either side. Both sides of such a link come to the same conclusion without a word, so as long as
each knows its nearest, the graph hangs together, however few connections one may have; the others
are chance, and give way to a neighbour.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from holdfast.crypto import blake2b


def place(topic: bytes, key: bytes) -> bytes:
    """Where a key stands on the ring of a topic; nobody can choose a place on all rings at once."""
    return blake2b(b"holdfast/mesh" + topic + key)


class Ring:
    """The peers of one topic in their order around it."""

    def __init__(self, topic: bytes, own_key: bytes) -> None:
        self._topic = topic
        self._own = place(topic, own_key)
        self._places: list[bytes] = []
        self._keys: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, key: bytes) -> None:
        """A peer counts as alive."""
        where = place(self._topic, key)
        if where not in self._keys:
            insort(self._places, where)
            self._keys[where] = key

    def discard(self, key: bytes) -> None:
        """A peer does not count any more."""
        where = place(self._topic, key)
        if self._keys.pop(where, None) is not None:
            del self._places[bisect_left(self._places, where)]

    def neighbours(self) -> set[bytes]:
        """The nearest on either side of us (the same one when there is but one)."""
        if not self._places:
            return set()
        index = bisect_left(self._places, self._own)
        after = self._places[index % len(self._places)]
        return {self._keys[self._places[index - 1]], self._keys[after]}

    def would_neighbour(self, key: bytes) -> bool:
        """Whether a peer would be one of the nearest if it counted."""
        where = place(self._topic, key)
        if not self._places:
            return True
        index = bisect_left(self._places, self._own)
        before, after = self._places[index - 1], self._places[index % len(self._places)]
        return where in (before, after) or (
            _between(before, where, self._own) or _between(self._own, where, after)
        )


def _between(start: bytes, middle: bytes, end: bytes) -> bool:
    """Whether one meets ``middle`` on the way round from ``start`` to ``end``."""
    if start < end:
        return start < middle < end
    return middle > start or middle < end
