"""Peers with one outbound connection meet at a relay (docs/decisions/0005).

* ``server``     being one (``guest``, ``pairs``, ``topics``, ``limits``)
* ``relays``     leaning on some (``client``: one of them; ``link``: its channel)
* ``dialer``     reaching a peer through one; ``stream``: what the connection runs over
* ``finder``     finding the peers of a topic there
* ``beacon``     saying so in the DHT (``directory``, ``records``, ``upkeep``)
* ``wire``       the messages; ``window``: how much may be on its way
"""

from __future__ import annotations
