"""The numbers of the wire: commands, errors (wire notes 4.10 and 4.11)."""

from __future__ import annotations

PING, PING_NAT, FIND_NODE, DOWN_HINT, DELAYED_PING = range(5)
"""Internal commands: what nodes ask each other to keep the network in shape."""

PEER_HANDSHAKE, PEER_HOLEPUNCH, FIND_PEER, LOOKUP, ANNOUNCE, UNANNOUNCE = range(6)
MUTABLE_PUT, MUTABLE_GET, IMMUTABLE_PUT, IMMUTABLE_GET, PLUGIN = range(6, 11)
"""Commands of those who use the network."""

UNKNOWN_COMMAND, INVALID_TOKEN = 1, 2
"""Errors of any reply."""
SEQ_REUSED, SEQ_TOO_LOW = 16, 17
"""A record of this number, or of a later one, is held."""
TOO_LARGE = 413
"""A value larger than we keep (ours; JavaScript nodes take whatever fits into a datagram)."""
