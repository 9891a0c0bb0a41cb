"""Finding others by topic or by key, and keeping connections with them.

* ``swarm``      topics joined and left (``joined``, ``discovery``), peers (``reaching``)
* ``crowd``      whom to dial when: ``known``, ``mesh``, ``backoff``, ``bans``
* ``dialling``   one ``climb`` up the ``ladder`` for each peer; ``candidate``: where they may be
* ``directory``  the DHT as a swarm uses it
* ``address_book``, ``keeping``  where they were met before
* ``doubts``     connections that have gone quiet
* ``trace``, ``explain``  what was tried, for people
"""

from __future__ import annotations
