"""Tokens: proof that whoever asks to store something receives at the address it sends from."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.crypto import blake2b, equal

ROTATION = 7.5
"""Seconds that one secret is given out; a token is good for one to two of these, as there."""


class Tokens:
    """Gives out tokens and knows them again; two secrets at a time, the older one dying."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._secrets = [random(32), random(32)]
        self._random = random
        self._born: float | None = None

    def token(self, host: str, now: float) -> bytes:
        """The token of a host (its port may change under NAT)."""
        self._rotate(now)
        return blake2b(host.encode(), key=self._secrets[0])

    def is_good(self, token: bytes, host: str, now: float) -> bool:
        """Whether we gave this token to this host not long ago."""
        self._rotate(now)
        return any(equal(token, blake2b(host.encode(), key=each)) for each in self._secrets)

    def _rotate(self, now: float) -> None:
        if self._born is None:
            self._born = now
        age = now - self._born
        if age < ROTATION:
            return
        kept = self._secrets[0] if age < 2 * ROTATION else self._random(32)
        self._secrets = [self._random(32), kept]
        self._born = now
