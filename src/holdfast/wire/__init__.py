"""What a connection speaks, as pure state machines: no sockets, no clock.

* ``noise``          the handshake that makes two keys sure of each other
* ``framing``        where one message ends in a stream of bytes
* ``secret_stream``  handshake and encryption over any byte stream
* ``mux``            many channels over one stream (``channel``, ``roster``, ``batch``: its parts)
"""

from __future__ import annotations

from holdfast.wire.channel import Body, Channel, Handler
from holdfast.wire.mux import Mux
from holdfast.wire.noise import HandshakeResult, HandshakeState
from holdfast.wire.secret_stream import (
    HANDSHAKE_TIMEOUT,
    KEEP_ALIVE,
    MAX_MESSAGE,
    SecretStream,
)

__all__ = [
    "HANDSHAKE_TIMEOUT",
    "KEEP_ALIVE",
    "MAX_MESSAGE",
    "Body",
    "Channel",
    "HandshakeResult",
    "HandshakeState",
    "Handler",
    "Mux",
    "SecretStream",
]
