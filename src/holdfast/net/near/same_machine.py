"""Finding nodes of the same user on the same machine, with no network at all.

Each node that has something to announce leaves a card in a folder that only this user can enter
(see `machine_cards`); whoever looks for something reads the cards there. A card only says where to
dial: who is there proves its key in the handshake as anywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.net.near.machine_cards import Card, Cards, own_net, runtime_folder
from holdfast.net.near.tags import Addresses, on_this_machine, tag
from holdfast.net.swarm.candidate import MACHINE, Candidate, Found

LOOK = 0.5
"""Seconds between two looks at the folder's time stamp, only while something is looked for."""

SETTLED = 1_000_000_000
"""Nanoseconds after which a time stamp cannot hide a second change (the coarsest tick is less)."""

_PLACE = b"holdfast/machine"


class SameMachine:
    """A Finder among the nodes of this user on this machine."""

    place = "this machine"
    """Where it asks, for people."""

    def __init__(
        self,
        public_key: bytes,
        addresses: Addresses,
        *,
        folder: Path | None = None,
        pause: float = LOOK,
    ) -> None:
        """``addresses()`` are the TCP addresses this node listens on (see `refresh`)."""
        self.status = "idle"
        """A sentence on what it does, or why it cannot."""
        self._key = public_key
        self._addresses = addresses
        self._pause = pause
        self._topics: set[bytes] = set()
        self._lookups: dict[object, tuple[bytes, Found]] = {}
        self._seen_at = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due: asyncio.Handle | None = None
        self._closed = False
        self._net = own_net()
        self._cards = self._open(folder)

    def _open(self, folder: Path | None) -> Cards | None:
        try:
            return Cards(folder or runtime_folder())
        except OSError as error:
            self._fail(error)
            return None

    def _fail(self, error: OSError) -> None:
        self.status = f"not available: {error.strerror or error}"

    # -- being found ----------------------------------------------------------------------------

    def announce(self, topic: bytes) -> None:
        """Tell the nodes of this user that we have something."""
        self._topics.add(topic)
        self.refresh()

    def unannounce(self, topic: bytes) -> None:
        """Stop telling it."""
        if topic in self._topics:
            self._topics.remove(topic)
            self.refresh()

    def refresh(self) -> None:
        """Leave a new card at the end of this turn: topics or addresses have changed."""
        if self._due is None and self._cards is not None and not self._closed:
            self._due = asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._due = None
        if self._cards is None or self._closed:
            return
        addresses = on_this_machine(self._addresses())
        try:
            if not self._topics or not addresses:
                self._cards.remove()
                return
            tags = frozenset(tag(_PLACE, self._key, topic) for topic in self._topics)
            self._cards.write(Card(self._key, addresses, tags, self._net))
        except OSError as error:
            self._fail(error)
        else:
            self.status = "working"

    # -- finding --------------------------------------------------------------------------------

    def lookup(self, topic: bytes, found: Found) -> Callable[[], None]:
        """Call ``found`` for every node here that has it, soon and later; returns how to stop."""
        ticket = object()
        self._lookups[ticket] = (topic, found)
        if self._cards is not None and not self._closed:
            self._cards.forget()  # some of those known may have died
            self._seen_at = 0
            self._later(0.0)
        return lambda: self._stop(ticket)

    def _stop(self, ticket: object) -> None:
        self._lookups.pop(ticket, None)
        if not self._lookups:
            self._rest()

    def _later(self, seconds: float) -> None:
        self._rest()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._cards is None or self._closed:
            return
        if self._lookups:
            self._later(self._pause)
        try:
            changed_at = self._cards.changed_at()
            if changed_at == self._seen_at:
                return
            recent = time.time_ns() - changed_at < SETTLED
            self._seen_at = 0 if recent else changed_at
            new = self._cards.read()
            self.status = "working"
        except OSError as error:
            self._fail(error)
        else:
            self._tell(new)

    def _tell(self, cards: Iterable[Card]) -> None:
        for card in cards:
            if card.public_key == self._key or card.net != self._net:
                continue
            candidate = Candidate(card.public_key, card.addresses, rung=MACHINE)
            for topic, found in list(self._lookups.values()):
                if tag(_PLACE, card.public_key, topic) in card.tags:
                    found(candidate)

    # -- the end --------------------------------------------------------------------------------

    async def close(self) -> None:
        """Tell and hear nothing any more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.status = "closed"
        self._rest()
        if self._due is not None:
            self._due.cancel()
        if self._cards is not None:
            self._cards.close()
