"""Ordinary connections inside WebSocket messages.

* ``wire``  the protocol between the socket and the connection
* ``dial``  dialling and listening
"""

from __future__ import annotations
