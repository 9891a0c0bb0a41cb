"""The one place that says who may connect, and what is offered to whom.

Private by default: anybody may complete a handshake (they must prove a key to do so), and nobody is
offered anything. A drive that is shared is offered by its discovery keys, to everybody or to some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

MayConnect = Callable[[bytes], bool]


class Policy:
    """Who may connect and what is offered; changes take effect for the next question asked."""

    def __init__(self, may_connect: MayConnect | None = None) -> None:
        self._ask = may_connect
        self._only: frozenset[bytes] | None = None
        self._denied: set[bytes] = set()
        self._offers: dict[bytes, frozenset[bytes] | None] = {}
        self._watchers: list[Callable[[bytes], None]] = []

    # -- who may connect ------------------------------------------------------------------------

    def only(self, keys: Iterable[bytes] | None) -> None:
        """Let nobody connect but the holders of these public keys; None lifts the limit."""
        self._only = None if keys is None else frozenset(keys)

    def deny(self, key: bytes) -> None:
        """Refuse this public key, whatever else is said."""
        self._denied.add(key)

    def undeny(self, key: bytes) -> None:
        """Take a denial back; unknown keys are ignored."""
        self._denied.discard(key)

    def may_connect(self, remote_key: bytes) -> bool:
        """Whether a connection with the holder of this public key may stand."""
        if remote_key in self._denied:
            return False
        if self._only is not None and remote_key not in self._only:
            return False
        return self._ask is None or self._ask(remote_key)

    # -- what is offered ------------------------------------------------------------------------

    def offer(self, discovery_key: bytes, to: Iterable[bytes] | None = None) -> None:
        """Offer a log to everybody who knows its key, or only to some public keys."""
        self._offers[discovery_key] = None if to is None else frozenset(to)
        self._changed(discovery_key)

    def withdraw(self, discovery_key: bytes) -> None:
        """Offer a log to nobody any more; what was fetched before cannot be taken back."""
        if self._offers.pop(discovery_key, _NOTHING) is not _NOTHING:
            self._changed(discovery_key)

    def offers(self, discovery_key: bytes, remote_key: bytes) -> bool:
        """Whether this log is offered to the holder of this public key."""
        to = self._offers.get(discovery_key, _NOTHING)
        return to is None or remote_key in to

    @property
    def offered(self) -> list[bytes]:
        """Discovery keys that are offered to anybody at all."""
        return [key for key, to in self._offers.items() if to is None or to]

    def on_change(self, callback: Callable[[bytes], None]) -> Callable[[], None]:
        """Call back with the discovery key whenever an offer changes; returns how to stop that."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback) if callback in self._watchers else None

    def _changed(self, discovery_key: bytes) -> None:
        for watcher in list(self._watchers):
            watcher(discovery_key)


_NOTHING: frozenset[bytes] = frozenset()
