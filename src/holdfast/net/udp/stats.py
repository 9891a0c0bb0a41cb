"""What can be seen of a stream from outside."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.udx import Stream


class UdxStats(NamedTuple):
    """How a stream fares."""

    rtt: float
    """Smoothed round trip in seconds; 0 before the first."""
    cwnd: int
    """Bytes that may be in flight."""
    mtu: int
    """Bytes of an IP packet that are known to pass."""
    rate: float
    """Bytes per second that the path is believed to carry."""
    retransmits: int
    """Packets sent again."""
    bytes_sent: int
    """Bytes written."""
    bytes_received: int
    """Bytes handed to the protocol."""


def stats_of(stream: Stream, *, sent: int, received: int) -> UdxStats:
    """The state of a stream whose user wrote ``sent`` bytes and has got ``received``."""
    sender = stream.sender
    flight, control = sender.flight, sender.control
    return UdxStats(
        flight.rtt.smoothed,
        control.cwnd,
        sender.mtu.size,
        control.rate,
        flight.retransmits,
        sent,
        received,
    )
