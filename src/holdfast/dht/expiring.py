"""A bounded memory of what others give us: by age, by number, by bytes, and by who gave it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

V = TypeVar("V")


class _Kept(NamedTuple, Generic[V]):
    value: V
    until: float
    source: str
    size: int


class Expiring(Generic[V]):
    """Key to value; the oldest go first when there are too many.

    A source that has filled its share replaces its own oldest, so one flooder cannot empty the
    memory of what the others gave.
    """

    def __init__(
        self,
        *,
        seconds: float,
        most: int,
        most_bytes: int,
        most_of_one: int,
        on_gone: Callable[[Any], None] | None = None,
    ) -> None:
        """``on_gone`` is told the key of each value that is not kept any more."""
        self._on_gone = on_gone
        self._seconds = seconds
        self._most = most
        self._most_bytes = most_bytes
        self._most_of_one = most_of_one
        self._kept: OrderedDict[Hashable, _Kept[V]] = OrderedDict()
        self._sources: dict[str, OrderedDict[Hashable, None]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, now: float) -> V | None:
        """The value, unless it is too old."""
        kept = self._kept.get(key)
        return kept.value if kept is not None and kept.until > now else None

    def put(self, key: Hashable, value: V, size: int, source: str, now: float) -> None:
        """Keep a value of ``size`` bytes that came from ``source``."""
        self.remove(key)
        self.expire(now)
        theirs = self._sources.get(source)
        if theirs is not None and len(theirs) >= self._most_of_one:
            self.remove(next(iter(theirs)))
        self._kept[key] = _Kept(value, now + self._seconds, source, size)
        self._sources.setdefault(source, OrderedDict())[key] = None
        self.bytes += size
        while len(self._kept) > self._most or self.bytes > self._most_bytes:
            self.remove(next(iter(self._kept)))

    def remove(self, key: Hashable) -> V | None:
        """Forget a value; returns it."""
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        self.bytes -= kept.size
        theirs = self._sources[kept.source]
        del theirs[key]
        if not theirs:
            del self._sources[kept.source]
        if self._on_gone is not None:
            self._on_gone(key)
        return kept.value

    def expire(self, now: float) -> None:
        """Forget what is too old; all live equally long, so the oldest are in front."""
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if kept.until > now:
                break
            self.remove(key)
