"""Named services: requests, responses and topics over a connection, found through the DHT.

* ``names``      what a name may be, and its topic
* ``messages``   the bytes
* ``service``    answering: methods, and topics that others subscribe to (``topics``)
* ``client``     asking: requests and subscriptions (``room``: how much at once)
* ``workers``    one request spread over many workers
* ``lookup``     finding workers and being found; ``records``: what they say in the DHT
* ``shared``     what both sides agree on
"""

from __future__ import annotations
