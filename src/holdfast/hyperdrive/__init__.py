"""Hyperdrive: files over sorted keys and contents (`wire/hypercore.md` 4.9).

* `Drive` reads and writes; `Drive.checkout` gives a `DriveView` of an older version.
* `DriveBatch` groups changes, `DriveFile` reads at any place.
* `FileEntry`, `FileChange`, `LogEntry`, `Stat` are what reads give.
* `Mirrored`, `Progress`, `Refused` are what mirroring with a folder on disk tells.
* `Blobs` (hyperblobs) and `BlobId`: the contents by themselves.
"""

from __future__ import annotations

from holdfast.hyperdrive.batch import DriveBatch
from holdfast.hyperdrive.blobs import Blobs
from holdfast.hyperdrive.drive import Drive
from holdfast.hyperdrive.entry import BlobId, FileEntry, Value
from holdfast.hyperdrive.file import DriveFile
from holdfast.hyperdrive.mirror import Mirrored, Progress, Refused
from holdfast.hyperdrive.records import FileChange, LogEntry, Stat
from holdfast.hyperdrive.source import Source
from holdfast.hyperdrive.state import content_manifest
from holdfast.hyperdrive.view import DriveView

__all__ = [
    "BlobId",
    "Blobs",
    "Drive",
    "DriveBatch",
    "DriveFile",
    "DriveView",
    "FileChange",
    "FileEntry",
    "LogEntry",
    "Mirrored",
    "Progress",
    "Refused",
    "Source",
    "Stat",
    "Value",
    "content_manifest",
]
