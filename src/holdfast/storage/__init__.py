"""Where logs are kept: a directory on disk, and its memory twin.

* ``interface``  what a store is
* ``memory``     the twin without a directory
"""

from __future__ import annotations

from holdfast.storage.interface import CoreInfo, Storage
from holdfast.storage.memory import MemoryStorage

__all__ = ["CoreInfo", "MemoryStorage", "Storage"]
