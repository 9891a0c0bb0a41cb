"""Public keys that are to stay away for a while: by order, or for what they did."""

from __future__ import annotations

MAX_BANS = 4096
"""Keys remembered: a liar can make new ones for ever; the ban that ends first is forgotten."""
FIRST_STRIKE = 60.0
"""Seconds that a peer stays away after it broke the protocol; doubles each time."""
LONGEST = 24 * 3600.0
"""Seconds at most for what a peer did: a bug is mended, a key changes hands."""


class Bans:
    """Who is banned until when. Time is a parameter."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}
        self._strikes: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._until)

    def ban(self, key: bytes, now: float, seconds: float | None = None) -> None:
        """Keep a key away for so many seconds; None: until it is lifted."""
        self._until[key] = float("inf") if seconds is None else now + seconds
        if len(self._until) > MAX_BANS:
            del self._until[min(self._until, key=self._until.__getitem__)]

    def strike(self, key: bytes, now: float) -> float:
        """A peer broke the protocol: ban it for longer than last time; returns the seconds."""
        strikes = min(self._strikes.pop(key, 0) + 1, 32)
        self._strikes[key] = strikes
        if len(self._strikes) > MAX_BANS:
            del self._strikes[next(iter(self._strikes))]
        seconds = min(FIRST_STRIKE * 2.0 ** (strikes - 1), LONGEST)
        if self._until.get(key, now) < now + seconds:
            self.ban(key, now, seconds)
        return seconds

    def lift(self, key: bytes) -> None:
        """Let a key come back; unknown ones are ignored."""
        self._until.pop(key, None)
        self._strikes.pop(key, None)

    def banned(self, key: bytes, now: float) -> bool:
        """Whether a key is to stay away now."""
        until = self._until.get(key)
        if until is None:
            return False
        if until <= now:
            del self._until[key]
            return False
        return True
