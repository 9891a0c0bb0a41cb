"""Where the other side of a channel stands, as its last sync message said."""

from __future__ import annotations

from holdfast.hypercore import messages as wire


class Remote:
    """The peer's head and what it is willing to do. A claim like any other until proven."""

    __slots__ = ("acked", "can_upgrade", "fork", "has_manifest", "length", "synced", "uploading")

    def __init__(self) -> None:
        self.synced = False
        """Whether it has said anything yet."""
        self.fork = 0
        self.length = 0
        self.can_upgrade = False
        """It can prove its length to us."""
        self.uploading = True
        self.has_manifest = False
        self.acked = -1
        """Our length as it last repeated it: it can bring us further only from there."""

    def take(self, sync: wire.Sync, fork: int) -> None:
        """Note a sync message; ``fork`` is ours now."""
        self.synced = True
        self.fork = sync.fork
        self.length = sync.length
        self.can_upgrade = sync.can_upgrade
        self.uploading = sync.uploading
        self.has_manifest = sync.has_manifest
        self.acked = sync.remote_length if sync.fork == fork else 0
