"""Checks of what works from here, each a coroutine that gives findings; `node.doctor` runs them.

* ``finding``     what a check says: a code, a severity, a sentence, a remedy
* ``binding``     sockets of this machine
* ``lan``         multicast on the networks it is on
* ``outside``     DHT, UDP and NAT (``probe``, ``walk`` and ``nat``: how they are asked about)
* ``neighbours``  relays, and what time others have (``clock``)
"""

from __future__ import annotations

from holdfast.net.checks.clock import serve_clock
from holdfast.net.checks.finding import Finding, Severity

__all__ = ["Finding", "Severity", "serve_clock"]
