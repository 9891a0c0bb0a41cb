"""Where logs are kept: a directory on disk, and its memory twin.

* ``interface``   what a store is
* ``memory``      the twin without a directory
* ``directory``   opening and closing a directory; settings, marks
* ``engine``      what all logs of a directory share
* ``core_backend``, ``truncation``   one log: reads, writes, and being cut
* ``journal``, ``entries``, ``records``, ``mark``   the write-ahead journal
* ``recovery``, ``journal_scan``, ``journal_heal``   reading it back after a crash
* ``checkpoint``, ``index``, ``slots``, ``core_files``   bringing things to their place
* ``syncing``, ``disk``, ``space``   the operating system
* ``layout``, ``lease``, ``secrets``, ``identity``, ``highwater``, ``twice``   whose store this is
"""

from __future__ import annotations

from holdfast.storage.directory import DirectoryStorage, Durability, open_storage
from holdfast.storage.interface import CoreInfo, Storage
from holdfast.storage.memory import MemoryStorage

__all__ = [
    "CoreInfo",
    "DirectoryStorage",
    "Durability",
    "MemoryStorage",
    "Storage",
    "open_storage",
]
