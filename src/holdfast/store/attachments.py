"""Ties the logs of a store to one connection: a protomux channel for each log both sides know."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.errors import StoreError
from holdfast.hypercore.peer import Peer
from holdfast.wire import Channel, Mux

if TYPE_CHECKING:
    from holdfast.store.open_log import OpenLog
    from holdfast.store.store import Store

PROTOCOL = "hypercore/alpha"
MESSAGES = 10

Offers = Callable[[bytes, bytes], bool]
"""``offers(discovery_key, remote_public_key)``: may this log be exchanged with that peer?"""


def offer_all(discovery_key: bytes, remote_public_key: bytes) -> bool:
    """Every log that is open or asked for by somebody who knows its key."""
    return True


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
    """The channels of one connection."""

    def __init__(self, store: Store, link: Link, offers: Offers) -> None:
        self._store = store
        self._link = link
        self._offers = offers
        self._peers: dict[bytes, Peer] = {}
        link.mux.on_request(PROTOCOL, self._requested)

    def offer(self, opened: OpenLog) -> None:
        """Open a channel for a log, if it may be offered to this peer and has none yet."""
        discovery_key = opened.log.discovery_key
        if discovery_key in self._peers or opened.closed or opened.log.frozen is not None:
            return
        if self._offers(discovery_key, self._link.remote_public_key):
            self._open(opened)

    def _requested(self, discovery_key: bytes, handshake: memoryview) -> bool:
        """The other side asks for a log. Whoever cannot prove to know its key learns nothing."""
        if discovery_key in self._peers:
            return False
        if not self._offers(discovery_key, self._link.remote_public_key):
            return False
        try:
            opened = self._store.find(discovery_key)
        except StoreError:  # whoever opens it here is told; the peer's other logs go on
            return False
        if opened is None or opened.log.frozen is not None:
            return False
        peer = self._peer(opened)
        if peer.accepts(handshake):
            self._open(opened, peer)
        return False

    def _peer(self, opened: OpenLog) -> Peer:
        link = self._link
        channel = link.mux.channel(PROTOCOL, opened.log.discovery_key)
        peer = Peer(
            opened.replicator,
            _Port(channel, link.mux),
            initiator=link.is_initiator,
            handshake_hash=link.handshake_hash,
            remote_public_key=link.remote_public_key,
        )
        channel.handlers = [partial(peer.receive, number) for number in range(MESSAGES)]
        channel.user_data = peer
        channel.on_open = lambda handshake: self._opened(opened, peer, handshake)
        channel.on_close = lambda remote: self._closed(opened, peer)
        channel.on_drain = peer.serving.on_drain
        peer.start = lambda: channel.open(peer.handshake())
        return peer

    def _open(self, opened: OpenLog, peer: Peer | None = None) -> None:
        peer = peer or self._peer(opened)
        self._peers[opened.log.discovery_key] = peer
        peer.start()

    def _opened(self, opened: OpenLog, peer: Peer, handshake: memoryview) -> None:
        peer.open(handshake)
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
