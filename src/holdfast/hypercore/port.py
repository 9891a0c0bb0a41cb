"""The little that replication needs of its protomux channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.hypercore.message_table import encode, number_of


class ChannelPort(Protocol):
    """One channel, from the side that speaks. Messages keep their order or end with the channel."""

    @property
    def send(self) -> Callable[[int, list[bytes | memoryview]], object]:
        """``send(number, parts)`` queues one message; it does nothing on a closed channel."""

    @property
    def close(self) -> Callable[[], object]:
        """Ends the channel, not the connection."""

    @property
    def drained(self) -> bool:
        """Whether the line takes more now; if not, the peer is told later by ``on_drain``."""


def say(port: ChannelPort, message: object) -> None:
    """Send a message value (see `number_of`)."""
    number = number_of(message)
    port.send(number, [encode(number, message)])
