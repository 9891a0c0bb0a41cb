"""Ties the logs of a store to one connection: a protomux channel for each log both sides know."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.errors import StoreError
from holdfast.hypercore.caps import proves
from holdfast.hypercore.peer import Peer
from holdfast.wire import Channel, Mux

if TYPE_CHECKING:
    from holdfast.store.open_log import OpenLog
    from holdfast.store.store import Store

PROTOCOL = "hypercore/alpha"
MESSAGES = 10

MAX_SHOWN = 512
"""Logs that one side may ask for before it is told of any: each costs us a hundred bytes."""

MAX_HANDSHAKE = 64
"""Bytes kept of the opening of a channel; the proof that it carries ends before that."""

Offers = Callable[[bytes, bytes], bool]
"""``offers(discovery_key, remote_public_key)``: may this log be exchanged with that peer?"""


def offer_all(discovery_key: bytes, remote_public_key: bytes) -> bool:
    """Every log that is open or asked for by somebody who knows its key."""
    return True


_NOBODYS_KEY = bytes(32)
"""Stands in for the key of a log that is not here, so that looking takes as long."""


class Link(Protocol):
    """What a store needs of a connection (`holdfast.net.Connection` has it)."""

    mux: Mux
    remote_public_key: bytes
    handshake_hash: bytes
    is_initiator: bool

    def on_close(self, callback: Callable[..., Any], /) -> Any: ...


class _Port:
    """The replication peer's view of its channel."""

    __slots__ = ("_mux", "close", "send")

    def __init__(self, channel: Channel, mux: Mux) -> None:
        self._mux = mux
        self.send = channel.send
        self.close = channel.close

    @property
    def drained(self) -> bool:
        return self._mux.drained


class Attachment:
    """The channels of one connection.

    A log that is asked of the other side gets a channel at once. A log that is only offered gets
    one when the other side asks and proves to know its key, and until then it hears nothing, not
    even that the log is here: the answer to everything else is the same rejection, after the same
    work. What it has asked for is remembered, so that an offer made later reaches it.
    """

    def __init__(
        self, store: Store, link: Link, offers: Offers, asks: Offers | None = None
    ) -> None:
        """See `Store.attach`."""
        self._store = store
        self._link = link
        self._offers = offers
        self._asks = offers if asks is None else asks
        self._peers: dict[bytes, Peer] = {}
        self._shown: dict[bytes, bytes] = {}
        link.mux.on_request(PROTOCOL, self._requested)

    def offer(self, opened: OpenLog) -> None:
        """Open a channel for a log if there is cause (see the class) and it has none yet."""
        discovery_key = opened.log.discovery_key
        if discovery_key in self._peers or opened.closed or opened.log.frozen is not None:
            return
        asked, offered = self._terms(discovery_key)
        if asked or (offered and self._proven(discovery_key, opened.log.key)):
            peer = self._peers[discovery_key] = self._peer(opened, offered)
            peer.start()

    def review(self, opened: OpenLog) -> None:
        """What may be exchanged has changed: begin, go on or end, as it is now."""
        discovery_key = opened.log.discovery_key
        peer = self._peers.get(discovery_key)
        if peer is not None:
            asked, offered = self._terms(discovery_key)
            if offered:
                peer.start_uploading()
            elif peer.uploading or not asked:
                # A new channel, if any: requests on their way would all be refused on the old one.
                peer.port.close()
        self.offer(opened)

    def _terms(self, discovery_key: bytes) -> tuple[bool, bool]:
        """Whether a log is asked of the other side, and whether it is offered to it."""
        remote = self._link.remote_public_key
        return self._asks(discovery_key, remote), self._offers(discovery_key, remote)

    def _requested(self, discovery_key: bytes, handshake: memoryview) -> bool:
        """The other side asks for a log. Whoever cannot prove to know its key learns nothing."""
        if discovery_key in self._peers:
            return False
        self._note(discovery_key, handshake)
        asked, offered = self._terms(discovery_key)
        key = self._store.key_of(discovery_key)
        proven = self._proven(discovery_key, key or _NOBODYS_KEY)
        if not (key and proven and (asked or offered)):
            return False
        try:
            opened = self._store.find(discovery_key)
        except StoreError:  # whoever opens it here is told; the peer's other logs go on
            return False
        if opened is not None:
            self.offer(opened)
        return False

    def _note(self, discovery_key: bytes, handshake: memoryview) -> None:
        """Remember what the other side has shown to know of a log, or has claimed to."""
        self._shown.pop(discovery_key, None)
        self._shown[discovery_key] = bytes(handshake[:MAX_HANDSHAKE])
        if len(self._shown) > MAX_SHOWN:
            del self._shown[next(iter(self._shown))]

    def _proven(self, discovery_key: bytes, key: bytes) -> bool:
        link = self._link
        shown = self._shown.get(discovery_key, b"")
        return proves(shown, not link.is_initiator, key, link.handshake_hash)

    def _peer(self, opened: OpenLog, uploading: bool) -> Peer:
        link = self._link
        channel = link.mux.channel(PROTOCOL, opened.log.discovery_key)
        peer = Peer(
            opened.replicator,
            _Port(channel, link.mux),
            initiator=link.is_initiator,
            handshake_hash=link.handshake_hash,
            remote_public_key=link.remote_public_key,
            uploading=uploading,
        )
        channel.handlers = [partial(peer.receive, number) for number in range(MESSAGES)]
        channel.user_data = peer
        channel.on_open = lambda handshake: self._opened(opened, peer, handshake)
        channel.on_close = lambda remote: self._closed(opened, peer)
        channel.on_drain = peer.serving.on_drain
        peer.start = lambda: channel.open(peer.handshake())
        return peer

    def _opened(self, opened: OpenLog, peer: Peer, handshake: memoryview) -> None:
        peer.open(handshake)
        self._note(opened.log.discovery_key, handshake)
        opened.poke()

    def _closed(self, opened: OpenLog, peer: Peer) -> None:
        if self._peers.get(opened.log.discovery_key) is peer:
            del self._peers[opened.log.discovery_key]
        peer.close()

    def close(self) -> None:
        """The connection is gone or the store closes."""
        for peer in list(self._peers.values()):
            peer.port.close()
        self._peers.clear()
