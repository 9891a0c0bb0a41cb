"""Finding nodes without any server: on this machine, and on this network.

* ``same_machine``  cards in a folder of the user's (``machine_cards``)
* ``lan``           mDNS (``lan_records``, ``networks``)
* ``tags``          what is shown in place of a topic
"""

from __future__ import annotations
