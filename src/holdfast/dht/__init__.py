"""The distributed hash table (wire notes 4.10 and 4.11): pure state machines."""

from __future__ import annotations
