"""The distributed hash table (wire notes 4.10 and 4.11): pure state machines.

One node:

* ``node``        the machine: five verbs, requests, walks
* ``packet``      its datagrams; ``ids``, ``ipv4``, ``commands``: what they are made of
* ``calls``       requests that wait for replies
* ``query``       walks towards a target
* ``table``       whom it knows; ``upkeep``: keeping that true
* ``joining``     first contact; ``reach``, ``nat``: where others reach it
* ``answers``     answering; ``guard``, ``tokens``: nobody is flooded in another's name

What it is for:

* ``operations``  look up, announce, put, get
* ``storage``     what it keeps for others; ``records``: as bytes; ``expiring``: for a while
* ``router``      whose handshakes it carries; ``relaying``: and how
* ``handshake``   connecting by public key, with ``puncher`` through firewalls
"""

from __future__ import annotations
