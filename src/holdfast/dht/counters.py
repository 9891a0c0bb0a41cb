"""What a node has sent and received: for the budget of an idle node, and for its owner."""

from __future__ import annotations


class Counters:
    """Sums since the start; bytes are those of datagrams, without their IP headers."""

    __slots__ = (
        "announces",
        "malformed",
        "packets_received",
        "packets_sent",
        "received",
        "sent",
        "unasked",
    )

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.packets_sent = 0
        self.packets_received = 0
        self.announces = 0
        """ANNOUNCE requests sent."""
        self.malformed = 0
        """Datagrams that are no packets of the DHT."""
        self.unasked = 0
        """Answers to nothing we asked, or from somebody else than we asked."""

    def as_dict(self) -> dict[str, int]:
        """All of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}
