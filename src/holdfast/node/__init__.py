"""The node: everything wired together.

* ``network``  how others are found
* ``opening``  `open`: from a directory to a running node
* ``node``     drives, sharing, connections
* ``held``     a drive that is open, and who is asked for it (``reach``: dialling them)
* ``fetching`` bringing files to disk
* ``records``  what is remembered of each drive
* ``switches`` orders to turn who finds and who gets what; ``control`` takes them from outside
* ``drain``    reading a stream as a whole
* ``fsspec``   ``hyper://`` for everything that speaks fsspec
"""

from __future__ import annotations

from holdfast.node.drain import read_bytes, read_text
from holdfast.node.fetching import Fetched
from holdfast.node.network import NOWHERE, Network
from holdfast.node.node import Node
from holdfast.node.opening import Opening, open
from holdfast.node.records import Record

__all__ = [
    "NOWHERE",
    "Fetched",
    "Network",
    "Node",
    "Opening",
    "Record",
    "open",
    "read_bytes",
    "read_text",
]
