"""Reliable streams over UDP, wire-compatible with libudx (wire notes 4.13): pure state machines.

* ``stream``   one end of a stream; start reading here
* ``receiver`` its receiving half
* ``inbox``    bytes that have arrived (``ranges``: what came out of order)
* ``sender``   its sending half: what may leave when (``silence``: and what if no ack comes)
* ``outbox``   bytes that wait to leave
* ``flight``   packets on their way; which are lost (``rtt``: how long to wait, ``rate``: how fast)
* ``bbr``      how much may be in flight (``pacer``: and how evenly)
* ``mtu``      how large a packet may be
* ``packet``   the bytes on the wire (``bursts``: datagrams that leave with one call)
* ``news``     what a batch of packets says about ours (``beats``: asking for a sign of life)
* ``events``   what a stream tells its user
"""

from __future__ import annotations

from holdfast.udx.bursts import Addr, Burst
from holdfast.udx.events import Cause, Closed, Ended, Event, Message, RemoteChanged
from holdfast.udx.packet import HEADER_BYTES, Buffer, Header, parse, stream_of
from holdfast.udx.sender import IPV4_BYTES, IPV6_BYTES
from holdfast.udx.stream import MAX_MESSAGE, Stream

__all__ = [
    "HEADER_BYTES",
    "IPV4_BYTES",
    "IPV6_BYTES",
    "MAX_MESSAGE",
    "Addr",
    "Buffer",
    "Burst",
    "Cause",
    "Closed",
    "Ended",
    "Event",
    "Header",
    "Message",
    "RemoteChanged",
    "Stream",
    "parse",
    "stream_of",
]
