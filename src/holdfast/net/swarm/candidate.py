"""Somebody who may be worth dialling, and who tells us of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from holdfast.net.address import Address

if TYPE_CHECKING:
    from holdfast.net.connection import Admit, Connection

LINK, BOOK, MACHINE, LAN, DHT, PUNCHED, RELAY = RUNGS = (
    "link",
    "book",
    "machine",
    "lan",
    "dht",
    "punched",
    "relay",
)
"""The rungs of the ladder, in the order in which they are tried: what a link says, where the peer
was before, this machine, this network, the DHT (directly, or through a punched hole), a relay."""

MAX_ADDRESSES = 8
"""Addresses of one peer that are looked at: a machine has a few, a liar has many."""


class Candidate(NamedTuple):
    """A public key that may hold what a topic stands for, and how it may be reached."""

    public_key: bytes
    addresses: tuple[Address, ...] = ()
    """TCP addresses; may be empty."""
    relay_addresses: tuple[Address, ...] = ()
    """DHT nodes (UDP) that pass handshakes on to it; its own when it can be asked directly."""
    rung: str = DHT
    """Where this was learnt: one of `RUNGS`."""


Found = Callable[[Candidate], None]


class Finder(Protocol):
    """One way of telling others that we have something, and of hearing who has."""

    def announce(self, topic: bytes) -> None:
        """Tell it from now on."""

    def unannounce(self, topic: bytes) -> None:
        """Stop telling it."""

    def lookup(self, topic: bytes, found: Found) -> Callable[[], None]:
        """Call ``found`` for everybody who has it, now and later; returns how to stop that."""

    async def close(self) -> None:
        """Tell and hear nothing any more."""


class RelayDialer(Protocol):
    """Reaches a peer through somebody whom both can reach."""

    async def connect(
        self,
        public_key: bytes,
        *,
        admit: Admit | None = None,
        on_open: Admit | None = None,
        timeout: float = ...,
    ) -> Connection:
        """An open connection with the holder of a key. Raises `PeerUnreachable`."""
