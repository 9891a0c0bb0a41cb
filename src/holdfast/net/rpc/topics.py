"""What a service publishes, and to whom: each subscription has a credit in bytes."""

from __future__ import annotations

from holdfast.net.rpc.messages import EVENT, encode_event
from holdfast.net.rpc.shared import OVERHEAD, too_large
from holdfast.wire import Channel


class Topic:
    """Something others subscribe to; who is too slow to hear it all is told how much it missed."""

    def __init__(self, name: str, payload: int) -> None:
        self.name = name
        self._payload = payload
        self.listeners: dict[Listener, None] = {}

    def __len__(self) -> int:
        """How many subscriptions there are."""
        return len(self.listeners)

    def publish(self, payload: bytes) -> int:
        """Send to all who listen and keep up; returns to how many. Raises `PayloadTooLarge`."""
        if len(payload) > self._payload:
            raise too_large(len(payload), self._payload, "this service")
        return sum([listener.tell(payload) for listener in list(self.listeners)])


class Listener:
    """One subscription: as many bytes on their way as the other side has granted."""

    __slots__ = ("_channel", "_credit", "_limit", "_missed", "_number", "topic")

    def __init__(self, channel: Channel, number: int, credit: int, topic: Topic, limit: int):
        self._channel, self._number, self._limit = channel, number, limit
        self._credit = min(credit, limit)
        self._missed = 0
        self.topic = topic
        topic.listeners[self] = None

    def tell(self, payload: bytes) -> bool:
        """Send it, if the other side keeps up."""
        cost = len(payload) + OVERHEAD
        if cost > self._credit or not self._channel.drained:
            self._missed += 1
            return False
        self._credit -= cost
        self._channel.send(EVENT, encode_event(self._number, self._missed, payload))
        self._missed = 0
        return True

    def grant(self, size: int) -> None:
        """The other side takes so many bytes more."""
        self._credit = min(self._credit + size, self._limit)

    def end(self) -> None:
        """Tell it nothing more."""
        self.topic.listeners.pop(self, None)
