"""One UDP socket for everything that speaks UDP, and streams over it as asyncio transports.

* ``socket``     a bound socket: datagrams and streams told apart (``offload``: many at a time)
* ``table``      the streams of a node, by the ids that their packets carry
* ``transport``  a stream as a transport for any asyncio protocol
* ``writing``, ``delivery``, ``ending``, ``pulse``, ``stats``  its parts
"""

from __future__ import annotations
