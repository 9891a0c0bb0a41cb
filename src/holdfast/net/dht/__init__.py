"""The DHT on real sockets: a node, and connections by public key through it.

* ``node``       look up, announce, put and get (``asking``, ``driver``, ``walk``, ``bootstrap``)
* ``server``     taking connections (``incoming``: one caller; ``announcer``: staying known)
* ``connect``    making one (``meeting``: the handshake; ``punching``, ``socket_pool``: the way)
* ``watch``      sleep and changes of network; ``tasks``: work that goes on beside
* ``local_addresses``  what a peer on the same network needs to know
"""

from __future__ import annotations
