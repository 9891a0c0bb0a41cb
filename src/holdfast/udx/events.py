"""What a stream tells its user."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Cause(enum.Enum):
    """Why a stream is over."""

    FINISHED = "finished"
    """Both sides have ended, and both know."""
    DESTROYED = "destroyed"
    """Given up here."""
    RESET = "reset"
    """Given up by the other side."""
    TIMED_OUT = "timed out"
    """Sent again and again, and never acked."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The other side sends no more; everything before can be read."""


@dataclass(frozen=True, slots=True)
class Message:
    """An unreliable message."""

    data: bytes
    """What it says."""


@dataclass(frozen=True, slots=True)
class RemoteChanged:
    """Everything sent before `change_remote` has arrived: the old way can be given up."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more happens."""

    cause: Cause
    """Why."""


Event = Ended | Message | RemoteChanged | Closed
