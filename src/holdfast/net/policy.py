"""The one place that says who may connect, what may be found, and what is given to whom.

Private by default: anybody may complete a handshake (they must prove a key to do so), nothing can
be found anywhere, and nobody is given anything. These are separate switches, each may be turned at
any time, and takes effect at once for those who are connected:

* `Policy.announce`: a log may be found by whoever knows its discovery key.
* `Policy.offer`: a log's blocks are given to everybody who proves to know its key, or to some
  (`Policy.allow`, `Policy.disallow` for one more or one less).
* `Policy.stop_uploads`: one peer is given nothing, whatever is offered.

What is fetched from a peer is neither announced nor offered by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

MayConnect = Callable[[bytes], bool]


class _Offer(NamedTuple):
    """To whom one log is given."""

    everybody: bool
    keys: frozenset[bytes]
    """Who gets it; of everybody, who does not."""

    def holds_for(self, key: bytes) -> bool:
        return (key in self.keys) != self.everybody

    def changed(self, key: bytes, given: bool) -> _Offer:
        add = given != self.everybody
        return self._replace(keys=self.keys | {key} if add else self.keys - {key})


class Policy:
    """Who may connect, what may be found, what is given; changes take effect at once."""

    def __init__(self, may_connect: MayConnect | None = None) -> None:
        self._ask = may_connect
        self._only: frozenset[bytes] | None = None
        self._denied: set[bytes] = set()
        self._announced: dict[bytes, None] = {}
        self._offers: dict[bytes, _Offer] = {}
        self._stopped: set[bytes] = set()
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

    # -- what may be found ----------------------------------------------------------------------

    def announce(self, discovery_key: bytes) -> None:
        """Let a log be found: tell the network that this node has it."""
        if discovery_key not in self._announced:
            self._announced[discovery_key] = None
            self._changed(discovery_key)

    def hush(self, discovery_key: bytes) -> None:
        """Tell nobody any more; who has found this node knows its address all the same."""
        if discovery_key in self._announced:
            del self._announced[discovery_key]
            self._changed(discovery_key)

    def announces(self, discovery_key: bytes) -> bool:
        """Whether this log may be found."""
        return discovery_key in self._announced

    @property
    def announced(self) -> list[bytes]:
        """Discovery keys that may be found."""
        return list(self._announced)

    # -- what is given --------------------------------------------------------------------------

    def offer(
        self,
        discovery_key: bytes,
        to: Iterable[bytes] | None = None,
        *,
        but: Iterable[bytes] = (),
    ) -> None:
        """Offer a log to everybody who knows its key, or only to some public keys; not to ``but``.

        This takes the place of what was said of the log before.
        """
        keys = frozenset(but) if to is None else frozenset(to) - frozenset(but)
        self._set(discovery_key, _Offer(to is None, keys))

    def withdraw(self, discovery_key: bytes) -> None:
        """Offer a log to nobody any more; what was fetched before cannot be taken back."""
        if self._offers.pop(discovery_key, None) is not None:
            self._changed(discovery_key)

    def allow(self, discovery_key: bytes, remote_key: bytes) -> None:
        """Offer a log to the holder of this public key too."""
        offer = self._offers.get(discovery_key, _NOTHING)
        self._set(discovery_key, offer.changed(remote_key, True))

    def disallow(self, discovery_key: bytes, remote_key: bytes) -> None:
        """Offer a log to the holder of this public key no more; others keep what they had."""
        offer = self._offers.get(discovery_key)
        if offer is not None:
            self._set(discovery_key, offer.changed(remote_key, False))

    def stop_uploads(self, remote_key: bytes) -> None:
        """Give nothing to the holder of this public key, whatever is offered to it."""
        self._stopped.add(remote_key)
        self._all_changed()

    def resume_uploads(self, remote_key: bytes) -> None:
        """Take `stop_uploads` back; unknown keys are ignored."""
        self._stopped.discard(remote_key)
        self._all_changed()

    def offers(self, discovery_key: bytes, remote_key: bytes) -> bool:
        """Whether this log is offered to the holder of this public key."""
        offer = self._offers.get(discovery_key, _NOTHING)
        return offer.holds_for(remote_key) and remote_key not in self._stopped

    @property
    def offered(self) -> list[bytes]:
        """Discovery keys that are offered to anybody at all."""
        return [key for key, offer in self._offers.items() if offer.everybody or offer.keys]

    # -- changes --------------------------------------------------------------------------------

    def on_change(self, callback: Callable[[bytes], None]) -> Callable[[], None]:
        """Call back with the discovery key of a log when a switch of it has turned.

        Returns how to stop that.
        """
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback) if callback in self._watchers else None

    def _set(self, discovery_key: bytes, offer: _Offer) -> None:
        if self._offers.get(discovery_key) != offer:
            self._offers[discovery_key] = offer
            self._changed(discovery_key)

    def _all_changed(self) -> None:
        for discovery_key in list(self._offers):
            self._changed(discovery_key)

    def _changed(self, discovery_key: bytes) -> None:
        for watcher in list(self._watchers):
            watcher(discovery_key)


_NOTHING = _Offer(False, frozenset())
