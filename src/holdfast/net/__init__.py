"""Sockets: connections between nodes, who may make them, and what they may be used for.

* ``connection``  one authenticated, encrypted, multiplexed TCP connection
* ``outgoing``    the queue in front of its socket (``heartbeat``: its keep-alives)
* ``dial``        making one
* ``listener``    waiting for one (``limits``: how many may knock at once)
* ``peers``       one for each public key, however many drives
* ``policy``      who may connect, and what is offered to whom
* ``address``     ``host:port`` as text
* ``services``    ping and echo

And rooms of their own: ``udp`` (streams over UDP), ``dht``, ``swarm`` (finding others), ``near``
(this machine, this network), ``relay``, ``websocket``, ``rpc`` (named services), ``checks`` (for
the doctor).
"""

from __future__ import annotations

from holdfast.net.address import Address, parse_address, reachable_hosts
from holdfast.net.connection import Connection
from holdfast.net.dial import dial
from holdfast.net.limits import Gate, Limits
from holdfast.net.listener import Listener, listen
from holdfast.net.peers import DuplicateError, Peers
from holdfast.net.policy import Policy
from holdfast.net.services import Echo, ping, serve_echo, serve_ping

__all__ = [
    "Address",
    "Connection",
    "DuplicateError",
    "Echo",
    "Gate",
    "Limits",
    "Listener",
    "Peers",
    "Policy",
    "dial",
    "listen",
    "parse_address",
    "ping",
    "reachable_hosts",
    "serve_echo",
    "serve_ping",
]
